#include "common/option_table.h"

#include <algorithm>

namespace dory {
namespace {

constexpr int64_t kK = 1 << 10;
constexpr int64_t kM = 1 << 20;
constexpr int64_t kG = 1 << 30;
constexpr int64_t kMs = 1;
constexpr int64_t kS = 1000;
constexpr int64_t kMinute = 60 * kS;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kFilePath = 160;    // a line has at most 199 bytes
constexpr std::string_view kStreamMessage = "16M";
constexpr int64_t kSocketPath = 107;  // sockaddr_un's, less the final zero
constexpr unsigned kAll = kSupervisor | kIntake | kKafkaWorker;
constexpr unsigned kWorkers = kIntake | kKafkaWorker;

// ---- from a row to its field -------------------------------------------------------------------

template <typename Owner>
constexpr FieldOwner kOwnerOf = std::is_same_v<Owner, Config>        ? FieldOwner::kConfig
                                : std::is_same_v<Owner, InputConfig> ? FieldOwner::kInput
                                : std::is_same_v<Owner, KafkaConfig> ? FieldOwner::kKafka
                                : std::is_same_v<Owner, TlsConfig>   ? FieldOwner::kTls
                                : std::is_same_v<Owner, ClientConfig> ? FieldOwner::kClient
                                : std::is_same_v<Owner, SaslConfig>  ? FieldOwner::kSasl
                                                                     : FieldOwner::kTopic;

template <typename Member>
constexpr bool kIsNumber = std::is_arithmetic_v<Member> || std::is_enum_v<Member>;

template <auto kMember, typename Owner, typename Member>
constexpr OptionField BindMember(Member Owner::*) {
  return {kOwnerOf<Owner>,
          [](void* object, const OptionValue& value) {
            using Read = std::conditional_t<kIsNumber<Member>, int64_t, Member>;
            static_cast<Owner*>(object)->*kMember = static_cast<Member>(std::get<Read>(value));
          },
          [](const void* object) -> OptionValue {
            const Member& member = static_cast<const Owner*>(object)->*kMember;
            if constexpr (kIsNumber<Member>) return static_cast<int64_t>(member);
            else return member;
          }};
}

template <auto kMember>
constexpr OptionField Bind() {
  return BindMember<kMember>(kMember);
}

// ---- the sections ------------------------------------------------------------------------------

constexpr SectionRow kSections[] = {
    {SectionKind::kDory, "dory", "[dory]", "The daemon itself."},
    {SectionKind::kBuffer, "buffer", "[buffer]",
     "The shared memory in which accepted messages wait: a ring between the intake and the kafka "
     "worker, and a pool of batches. It outlives every worker. Where the default sizes do not fit "
     "into segment_dir they shrink to what does; sizes set here that do not fit are refused."},
    {SectionKind::kLog, "log", "[log]", "Where Dory writes what it does."},
    {SectionKind::kHttp, "http", "[http]",
     "The page and the reports that dory-status serves over HTTP. Nobody has to say who they are, and "
     "nothing can be changed there. Where it can't listen Dory goes on without, with a warning in the "
     "status, and tries again."},
    {SectionKind::kDiscardReport, "discard_report", "[discard_report]",
     "What /discards shows of messages that were rejected or discarded: counts by topic and reason in "
     "windows of one length, the running one and the last."},
    {SectionKind::kDiscardLog, "discard_log", "[discard_log]",
     "A file with a line for each message that is rejected or discarded, or may be delivered twice. At most "
     "1000 a second of each worker are written, and the log says how many were left out. What can't be "
     "written holds nothing up."},
    {SectionKind::kKafka, "kafka", "[kafka]", "The cluster that messages go to."},
    {SectionKind::kTls, "tls", "[tls]",
     "TLS to brokers, where [kafka] security_protocol says so. Files are PEM, and are read again when "
     "they have changed: they hold for the connections that are made from then on. Where new ones "
     "can't be used the old ones stay, with a warning in the log and the status."},
    {SectionKind::kSasl, "sasl", "[sasl]",
     "Who we are for brokers, where [kafka] security_protocol says so. Secrets stand in files, never "
     "here; they are read anew for every connection, so a new one needs no restart."},
    {SectionKind::kTopic, "topic:", "[topic:NAME]",
     "How messages of a topic are sent. [topic:*] holds for all topics, and [topic:NAME] changes "
     "for the topic NAME what it sets."},
    {SectionKind::kInput, "input:", "[input:NAME]",
     "A socket that clients write to; NAME is of letters, digits, '_' and '-'. Without any such "
     "section there is [input:datagram]."},
    {SectionKind::kClient, "client:", "[client:NAME]",
     "Limits for the users that clients run as, which the kernel tells: of a datagram when it is sent, of a "
     "connection of unix_stream when it is made. [client:NAME] is for the users that it names, and takes from "
     "[client:*] what it does not set itself; allow and deny are one thing there: a section that sets one of "
     "them takes neither. [client:*] is for all others, and for clients whose user is not known: those of tcp, "
     "which are one client together. A message must be allowed by its input and its client, and be within "
     "its topic's rate and its client's; one that is rejected counts in neither. Without such sections nobody "
     "is asked who they are."},
};

// ---- the options -------------------------------------------------------------------------------

using enum OptionType;
using enum SectionKind;

// section, key, type, default, range, words, who and how, field, documentation
constexpr OptionRow kOptions[] = {
    {kDory, "instance", kName, "default", 1, 64, "", kAll, Bind<&Config::instance>(),
     "Tells several Dorys of one host apart, in the names of the shared memory and in client_id. "
     "Each needs a run_dir of its own, too."},
    {kDory, "run_dir", kPath, "/run/dory", 1, 80, "", kAll, Bind<&Config::run_dir>(),
     "Folder of the control socket, the lock and the pid file."},
    {kDory, "user", kString, "", 0, 32, "", kSupervisor, Bind<&Config::user>(),
     "User to become when started as root. Empty: stay who we are."},
    {kDory, "group", kString, "", 0, 32, "", kSupervisor, Bind<&Config::group>(),
     "Group to become when started as root. Empty: the user's."},
    {kDory, "stop_timeout", kDuration, "30s", 0, 24 * kHour, "", kSupervisor | kReload,
     Bind<&Config::stop_timeout_ms>(),
     "How long an orderly stop may take to deliver what is buffered. What is left then stays in "
     "the buffer."},

    {kBuffer, "ring_size", kSize, "64M", 4 * kM, 16 * kG, "", kAll, Bind<&Config::ring_size>(),
     "Bytes of the ring: what the intake may be ahead of the kafka worker. Half of it bounds the "
     "largest message."},
    {kBuffer, "pool_size", kSize, "256M", 16 * kM, 64 * kG, "", kAll, Bind<&Config::pool_size>(),
     "Bytes of the pool: what may wait for brokers. A quarter of it bounds the largest message."},
    {kBuffer, "segment_dir", kPath, "/dev/shm", 1, 107, "memfd", kSupervisor,
     Bind<&Config::segment_dir>(),
     "Folder of the shared memory, on tmpfs or hugetlbfs. With memfd it has no name, and is lost "
     "with the supervisor."},
    {kBuffer, "when_full", kEnum, "block", 0, 0, "block|reject", kIntake | kReload,
     Bind<&Config::when_full>(),
     "What happens to new messages while the buffer is full: block does not read them, so that "
     "senders wait; reject reads, counts and forgets them."},
    {kBuffer, "reject_lanes", kString, "", 0, 64, "", kIntake | kReload, Bind<&Config::reject_lanes>(),
     "Lanes for which when_full is reject, whatever it is for the others: their numbers, separated by commas."},
    {kBuffer, "partition_share", kPercent, "25%", 1, 100, "", kKafkaWorker | kReload,
     Bind<&Config::partition_share>(),
     "Part of a lane's pool that may wait for one partition before the topic's partition_full applies."},
    {kBuffer, "lanes", kInteger, "1", 1, 16, "", kAll, Bind<&Config::lanes>(),
     "Number of lanes: an intake worker, a kafka worker, a ring and a pool each."},
    {kBuffer, "max_topics", kInteger, "4096", 1, 65535, "", kAll, Bind<&Config::max_topics>(),
     "Number of topics that clients may name; messages of further ones are rejected."},
    {kBuffer, "stream_connections", kInteger, "8192", 1, 65536, "", kSupervisor | kIntake,
     Bind<&Config::stream_connections>(),
     "Number of connections that a lane holds at a time, those of unix_stream and tcp inputs together; "
     "further ones wait until one of them is closed."},
    {kBuffer, "stream_areas", kInteger, "256", 1, 65536, "", kSupervisor | kIntake,
     Bind<&Config::stream_areas>(),
     "Areas of 64K a lane for messages of such connections that have come in part. A connection takes one "
     "only while it sends; others wait where there is none."},
    {kBuffer, "large_areas", kInteger, "4", 1, 1024, "", kSupervisor | kIntake, Bind<&Config::large_areas>(),
     "The same for messages over 64K: each is as large as the largest max_message_size of these inputs."},
    {kBuffer, "receipts", kInteger, "16384", 64, 1 << 20, "", kSupervisor | kIntake, Bind<&Config::receipts>(),
     "Receipts that a lane's clients can be waiting for at a time. A connection that asks for one more is not "
     "read until others have been given; so is one that does not read its own, or has 157 open."},

    {kLog, "to", kPath, "stderr", 1, 160, "stderr|syslog", kAll | kDoryStatus | kReload,
     Bind<&Config::log_to>(),
     "Where the log goes: stderr, syslog, or a file."},
    {kLog, "level", kEnum, "info", 0, 0, "trace|debug|info|warning|error",
     kAll | kDoryStatus | kReload, Bind<&Config::log_level>(), "The least level that is logged."},

    {kHttp, "listen", kHostPort, "127.0.0.1:9090", 0, 0, "off", kSupervisor | kDoryStatus,
     Bind<&Config::http_listen>(),
     "Where dory-status listens; off: there is none. Beyond this host, everybody who can reach it "
     "reads the names of topics and brokers."},

    {kDiscardReport, "interval", kDuration, "10m", kS, 24 * kHour, "", kWorkers | kSupervisor | kReload,
     Bind<&Config::report_interval_ms>(), "The length of a window."},
    {kDiscardReport, "payload_prefix", kSize, "256", 0, 256, "", kIntake | kReload,
     Bind<&Config::payload_prefix>(),
     "How many bytes of malformed, too long and cut off messages, and of names that are none of a topic, are "
     "kept for the report: the last 25 distinct ones of each kind. 0: none."},

    {kDiscardLog, "path", kPath, "", 0, kFilePath, "", kWorkers | kReload, Bind<&Config::discard_log_path>(),
     "The file, made with mode 0600. Empty: none is written."},
    {kDiscardLog, "max_file_size", kSize, "16M", 64 * kK, kG, "", kWorkers | kReload,
     Bind<&Config::discard_log_max_file_size>(),
     "A file of this size is renamed to path.TIME, with the milliseconds since 1970, and a new one begun."},
    {kDiscardLog, "max_archive_size", kSize, "128M", 0, 64 * kG, "", kWorkers | kReload,
     Bind<&Config::discard_log_max_archive_size>(),
     "What renamed files may have together; the oldest are deleted first."},
    {kDiscardLog, "max_prefix", kSize, "256", 0, 4 * kK, "", kWorkers | kReload,
     Bind<&Config::discard_log_max_prefix>(),
     "How many bytes of a message's key and of its value a line has. 0: none, but their sizes."},

    {kKafka, "brokers", kHostPorts, "127.0.0.1:9092", 0, 0, "", kKafkaWorker | kRequired,
     Bind<&KafkaConfig::brokers>(),
     "Brokers to ask for the cluster's others, separated by commas. A few are enough; required."},
    {kKafka, "client_id", kString, "dory-{host}-{instance}", 1, 160, "", kKafkaWorker,
     Bind<&KafkaConfig::client_id>(),
     "Name by which brokers know this Dory. {host} and {instance} stand for the host's name and "
     "[dory] instance."},
    {kKafka, "request_timeout", kDuration, "5s", 100 * kMs, 10 * kMinute, "",
     kKafkaWorker, Bind<&KafkaConfig::request_timeout_ms>(),
     "How long a broker may take to answer a request."},
    {kKafka, "metadata_refresh", kDuration, "5m", kS, 24 * kHour, "", kKafkaWorker,
     Bind<&KafkaConfig::metadata_refresh_ms>(),
     "How often topics, partitions and leaders are asked for when nothing makes it necessary."},
    {kKafka, "topic_autocreate", kBoolean, "no", 0, 0, "", kKafkaWorker,
     Bind<&KafkaConfig::topic_autocreate>(),
     "Whether brokers are asked to create a topic that they do not have. Those before Kafka 0.11 create, "
     "where they are set to, whatever they are asked about."},
    {kKafka, "topic_autocreate_allow", kString, "*", 1, 4096, "", kKafkaWorker,
     Bind<&KafkaConfig::topic_autocreate_allow>(),
     "Topics that brokers may be asked to create: names, and beginnings of names that end in *, "
     "separated by commas."},
    {kKafka, "topic_autocreate_rate", kRate, "60/1m", 1, 1'000'000, "off", kKafkaWorker,
     Bind<&KafkaConfig::topic_autocreate_rate>(),
     "How many topics brokers are asked to create in a while. Messages of further ones wait for the "
     "next, and unknown_topic_deadline runs."},
    {kKafka, "idempotence", kEnum, "preferred", 0, 0, "preferred|required", kKafkaWorker,
     Bind<&KafkaConfig::idempotence>(),
     "What happens where a message can't be sent exactly once: a broker older than Kafka 0.11, one that "
     "refuses us a producer id, a topic whose message format is older. preferred sends it at least once, "
     "counts possible duplicates, and says so in the status; required lets it wait, with a warning."},
    {kKafka, "producer_id_expiration", kDuration, "24h", kS, 365 * 24 * kHour, "", kKafkaWorker,
     Bind<&KafkaConfig::producer_id_expiration_ms>(),
     "What brokers have as producer.id.expiration.ms: how long they know a repetition, counted from the "
     "newest timestamp of a batch. What is sent again after half of it is looked for in the log first, for "
     "which Dory needs to READ the topic."},
    {kKafka, "max_request_bytes", kSize, "8M", 64 * kK, kG, "", kKafkaWorker,
     Bind<&KafkaConfig::max_request_bytes>(),
     "Largest request. Brokers refuse what is over their socket.request.max.bytes."},
    {kKafka, "in_flight_bytes", kSize, "32M", 64 * kK, kG, "", kKafkaWorker,
     Bind<&KafkaConfig::in_flight_bytes>(),
     "Bytes of compressed records that a worker may hold until they are written to brokers; a batch "
     "waits while they are used up. Uncompressed ones take none, they are written from the buffer."},
    {kKafka, "security_protocol", kEnum, "PLAINTEXT", 0, 0, "PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL",
     kKafkaWorker,
     Bind<&KafkaConfig::security_protocol>(),
     "How the brokers' listeners are secured: SSL is TLS, see [tls]; with SASL we say who we are, see "
     "[sasl]."},

    {kTls, "ca_file", kPath, "", 0, kFilePath, "", kKafkaWorker, Bind<&TlsConfig::ca_file>(),
     "Certificates of the authorities that a broker's certificate may be signed by. Empty: those "
     "that the system trusts."},
    {kTls, "certificate_file", kPath, "", 0, kFilePath, "", kKafkaWorker,
     Bind<&TlsConfig::certificate_file>(),
     "Our own certificate, then those that lead to its authority, for brokers that ask for one "
     "(mutual TLS). Empty: there is none."},
    {kTls, "key_file", kPath, "", 0, kFilePath, "", kKafkaWorker, Bind<&TlsConfig::key_file>(),
     "The private key of certificate_file. Empty: it stands in that file."},
    {kTls, "key_password_file", kPath, "", 0, kFilePath, "", kKafkaWorker,
     Bind<&TlsConfig::key_password_file>(),
     "File whose first line is the password of an encrypted key. Empty: there is none."},
    {kTls, "verify", kEnum, "full", 0, 0, "full|chain|none", kKafkaWorker, Bind<&TlsConfig::verify>(),
     "What is asked of a broker's certificate: full, that one of the authorities signed it and that it "
     "is for the host name or address that we connect to; chain, the first of these; none, nothing: "
     "everybody on the way can then read and change what is sent."},

    {kSasl, "mechanism", kEnum, "none", 0, 0, "none|PLAIN|SCRAM-SHA-256|SCRAM-SHA-512|GSSAPI|OAUTHBEARER",
     kKafkaWorker, Bind<&SaslConfig::mechanism>(),
     "How we say who we are. PLAIN shows the password to whoever listens on the way, where there is no "
     "TLS. GSSAPI is Kerberos."},
    {kSasl, "username", kString, "", 0, 160, "", kKafkaWorker, Bind<&SaslConfig::username>(),
     "User, for PLAIN and SCRAM."},
    {kSasl, "password_file", kPath, "", 0, kFilePath, "", kKafkaWorker, Bind<&SaslConfig::password_file>(),
     "File whose first line is that user's password."},
    {kSasl, "token_file", kPath, "", 0, kFilePath, "", kKafkaWorker, Bind<&SaslConfig::token_file>(),
     "File whose first line is the token, for OAUTHBEARER. Whoever renews it moves the new file into its "
     "place."},
    {kSasl, "token_command", kString, "", 0, 1024, "", kKafkaWorker, Bind<&SaslConfig::token_command>(),
     "Instead of that: command, for /bin/sh, whose first line of output is the token. It runs whenever Dory "
     "authenticates, as Dory's user, and has 10 seconds."},
    {kSasl, "keytab_file", kPath, "", 0, kFilePath, "", kKafkaWorker, Bind<&SaslConfig::keytab_file>(),
     "Keytab with our key, for GSSAPI. Empty: what Kerberos finds by itself, such as a ticket of kinit."},
    {kSasl, "service_name", kName, "kafka", 1, 64, "", kKafkaWorker, Bind<&SaslConfig::service_name>(),
     "First part of the brokers' Kerberos name: what they call sasl.kerberos.service.name."},

    {kTopic, "batching", kEnum, "per_topic", 0, 0, "per_topic|combined|off", kKafkaWorker | kReload,
     Bind<&TopicConfig::batching>(),
     "per_topic gathers messages until one of the limits below is reached; combined does, too, but the limits "
     "count what all such topics hold together, and then all their batches are sent, so that many small topics "
     "share requests; off sends at once."},
    {kTopic, "batch_time", kDuration, "100ms", kMs, kHour, "", kKafkaWorker | kReload,
     Bind<&TopicConfig::batch_time_ms>(),
     "A batch is sent before its first message has waited for longer, by Dory's own clock: up to a quarter earlier, "
     "together with others."},
    {kTopic, "batch_bytes", kSize, "256K", kK, 100 * kM, "", kKafkaWorker | kReload,
     Bind<&TopicConfig::batch_bytes>(), "A batch is sent when it holds this many bytes."},
    {kTopic, "batch_messages", kInteger, "off", 1, 1'000'000, "off", kKafkaWorker | kReload,
     Bind<&TopicConfig::batch_messages>(), "A batch is sent when it holds this many messages."},
    {kTopic, "compression", kEnum, "none", 0, 0, "none|gzip|snappy|lz4|zstd", kKafkaWorker | kReload,
     Bind<&TopicConfig::compression>(),
     "How a batch is compressed. The limits of batches and requests count bytes before it. Brokers "
     "know zstd from Kafka 2.1 on; to one that does not, batches go uncompressed, with a warning."},
    {kTopic, "compression_level", kInteger, "default", 1, 22, "default", kKafkaWorker | kReload,
     Bind<&TopicConfig::compression_level>(),
     "More takes longer and less room: 1 to 9 for gzip, 1 to 12 for lz4, 1 to 22 for zstd; snappy "
     "has the default alone."},
    {kTopic, "compression_min_size", kSize, "1K", 0, 100 * kM, "", kKafkaWorker | kReload,
     Bind<&TopicConfig::compression_min_size>(), "A smaller batch goes uncompressed."},
    {kTopic, "compression_min_ratio", kPercent, "10%", 0, 99, "", kKafkaWorker | kReload,
     Bind<&TopicConfig::compression_min_ratio>(),
     "A batch that compression does not make smaller by at least this part goes uncompressed."},
    {kTopic, "partitioner", kEnum, "partition_key", 0, 0, "partition_key|murmur2|crc32", kKafkaWorker | kReload,
     Bind<&TopicConfig::partitioner>(),
     "What chooses the partition. partition_key: a PartitionKey message's number, modulo the number of "
     "partitions, so that one below it names its partition; AnyPartition messages go batch by batch in turn. "
     "murmur2 and crc32: a message that has a Kafka key, of either kind, goes where Kafka's Java client "
     "(murmur2) or librdkafka (crc32: its consistent) would send that key; one without as its kind says."},
    {kTopic, "partition_key_fallback", kEnum, "wait", 0, 0, "wait|next", kKafkaWorker | kReload,
     Bind<&TopicConfig::partition_key_fallback>(),
     "Where the partition so chosen has no leader: its messages wait for one, or go to the next partition "
     "that has one, until it has again, but for what was sent once. Other keys never move."},
    {kTopic, "partition_full", kEnum, "wait", 0, 0, "wait|discard_oldest|discard_newest", kKafkaWorker | kReload,
     Bind<&TopicConfig::partition_full>(),
     "What happens where messages that were never sent and wait for one partition, or for any, use up [buffer] "
     "partition_share: the oldest or the newest of them are discarded. wait has no such limit: they may fill "
     "the pool, and then when_full applies."},
    {kTopic, "timestamp", kEnum, "client", 0, 0, "client|receive", kWorkers | kReload,
     Bind<&TopicConfig::timestamp>(),
     "Whose clock a message's timestamp is from: the client's, as it wrote it, or Dory's on "
     "receiving it."},
    {kTopic, "empty_value", kEnum, "null", 0, 0, "null|empty", kWorkers | kReload,
     Bind<&TopicConfig::empty_value>(),
     "What a value of size 0 from a client is in Kafka: null, which a compacted topic reads as a "
     "deletion, or empty."},
    {kTopic, "rate_limit", kRate, "off", 1, 1'000'000'000, "off", kIntake | kReload,
     Bind<&TopicConfig::rate_limit>(),
     "So many messages are taken in so much time, such as 1000/10s; more are rejected, and counted. Time is in "
     "windows of that length from the topic's first message on."},
    {kTopic, "delivery_deadline", kDuration, "off", kS, 365 * 24 * kHour, "off", kKafkaWorker | kReload,
     Bind<&TopicConfig::delivery_deadline_ms>(),
     "Messages that were never sent are discarded when they have waited this long, or up to an eighth and a "
     "second longer, by Dory's own clock; off: never. What was sent once is sent again until its outcome is known."},
    {kTopic, "unknown_topic_deadline", kDuration, "60s", kS, 24 * kHour, "off",
     kKafkaWorker | kReload, Bind<&TopicConfig::unknown_topic_deadline_ms>(),
     "Messages of a topic that brokers have never known are discarded once they have answered so for this time; "
     "time in which none answers does not count. Those of one that they knew before wait. off: all wait."},
    {kTopic, "authorization_deadline", kDuration, "off", kS, 24 * kHour, "off",
     kKafkaWorker | kReload, Bind<&TopicConfig::authorization_deadline_ms>(),
     "Messages for which brokers do not authorize us, or whose brokers refuse our certificate, password or token "
     "(or we theirs), are discarded once they have done so for this time; off: they wait, and the status says so."},
    {kTopic, "server_error_deadline", kDuration, "10m", 100 * kMs, 24 * kHour, "off",
     kKafkaWorker | kReload, Bind<&TopicConfig::server_error_deadline_ms>(),
     "A batch is sent again while a broker answers UNKNOWN_SERVER_ERROR; after this time of such answers the "
     "message that is the cause is sought, by sending less and less, and discarded; off: never."},
    {kTopic, "on_ambiguous", kEnum, "at_least_once", 0, 0, "at_least_once|at_most_once",
     kKafkaWorker | kReload, Bind<&TopicConfig::on_ambiguous>(),
     "What becomes of messages that can't be sent under their sequence any more while nobody can say "
     "whether they are in the log: at_least_once sends them anew, and counts them as possible "
     "duplicates; at_most_once discards them. Without a sequence, it is always at least once."},

    {kInput, "type", kEnum, "unix_datagram", 0, 0, "unix_datagram|unix_stream|tcp", kSupervisor | kIntake,
     Bind<&InputConfig::type>(),
     "Kind of the socket: a message a datagram, or messages back to back in a stream. Options below that a "
     "type has no use for are refused there."},
    {kInput, "path", kPath, "{run_dir}/input_{name}_sock", 1, kSocketPath, "", kSupervisor | kForUnix,
     Bind<&InputConfig::path>(),
     "Path of the socket, unless it is tcp. {run_dir}, {instance} and {name} stand for the options of "
     "[dory] and for the section's name."},
    {kInput, "mode", kMode, "0222", 0, 0777, "", kSupervisor | kForUnix, Bind<&InputConfig::mode>(),
     "Permission bits of the socket, unless it is tcp: who may write to it, may send."},
    {kInput, "owner", kString, "", 0, 32, "", kSupervisor | kForUnix, Bind<&InputConfig::owner>(),
     "User that owns the socket, unless it is tcp. Empty: the one that Dory runs as."},
    {kInput, "group", kString, "", 0, 32, "", kSupervisor | kForUnix, Bind<&InputConfig::group>(),
     "Group that owns the socket, unless it is tcp. Empty: the one that Dory runs as."},
    {kInput, "port", kInteger, "none", 1, 65535, "none", kSupervisor | kForTcp, Bind<&InputConfig::port>(),
     "Where tcp listens; required there. Everybody who can connect may send."},
    {kInput, "bind", kAddresses, "127.0.0.1, ::1", 0, 0, "", kSupervisor | kForTcp,
     Bind<&InputConfig::bind>(),
     "Addresses at which tcp listens on that port; 0.0.0.0 and :: are all of this host's."},
    {kInput, "max_message_size", kSize, "64K", kK, 100 * kM, "", kSupervisor | kIntake,
     Bind<&InputConfig::max_message_size>(),
     "Largest message; by default 64K of datagrams, and of streams 16M or what fits. Also at most half of "
     "ring_size less 64 bytes, and a quarter of pool_size."},
    {kInput, "partial_timeout", kDuration, "30s", 100 * kMs, 24 * kHour, "", kIntake | kForStreams,
     Bind<&InputConfig::partial_timeout_ms>(),
     "A connection of unix_stream or tcp whose message is unfinished for so long is closed."},
    {kInput, "allow", kString, "", 0, 4096, "", kIntake | kReload, Bind<&InputConfig::allow>(),
     "Topics that messages from here may name: names, and beginnings of names that end in *, separated by "
     "commas; messages of others are rejected. Empty: all."},
    {kInput, "deny", kString, "", 0, 4096, "", kIntake | kReload, Bind<&InputConfig::deny>(),
     "Topics that messages from here may not name, whatever allow says. Empty: none."},
    {kInput, "lane", kInteger, "0", 0, 15, "", kSupervisor | kIntake | kForDatagrams,
     Bind<&InputConfig::lane>(),
     "The lane that reads this socket; below [buffer] lanes. Connections of streams are dealt to all lanes."},

    {kClient, "uid", kString, "", 0, 190, "", kIntake | kReload, Bind<&ClientConfig::uid>(),
     "Users that the section is for, by their numbers, separated by commas. A section is for at most 16 users, "
     "and a user in one section. [client:*] has none."},
    {kClient, "user", kString, "", 0, 190, "", kSupervisor | kReload, Bind<&ClientConfig::user>(),
     "Likewise, by their names; they are looked up when the configuration is read."},
    {kClient, "allow", kString, "", 0, 4096, "", kIntake | kReload, Bind<&ClientConfig::allow>(),
     "Topics that their messages may name, as [input:NAME] allow has them; messages of others are rejected. "
     "Empty: all."},
    {kClient, "deny", kString, "", 0, 4096, "", kIntake | kReload, Bind<&ClientConfig::deny>(),
     "Topics that their messages may not name, whatever allow says. Empty: none."},
    {kClient, "rate_limit", kRate, "off", 1, 1'000'000'000, "off", kIntake | kReload,
     Bind<&ClientConfig::rate_limit>(),
     "So many messages of each user are taken in so much time by each lane, such as 1000/10s; more are rejected, "
     "and counted. Time is in windows of that length from the user's first message on."},
};

constexpr FieldOwner GetOwner(SectionKind kind) {
  switch (kind) {
    case kInput: return FieldOwner::kInput;
    case kKafka: return FieldOwner::kKafka;
    case kTls: return FieldOwner::kTls;
    case kSasl: return FieldOwner::kSasl;
    case kTopic: return FieldOwner::kTopic;
    case kClient: return FieldOwner::kClient;
    default: return FieldOwner::kConfig;
  }
}

// A field is reached through void*: that it is one of its section's struct is checked here.
static_assert(std::ranges::all_of(kOptions, [](const OptionRow& row) {
  return row.field.owner == GetOwner(row.section);
}));

}  // namespace

std::span<const SectionRow> ListSections() { return kSections; }

std::span<const OptionRow> ListOptions() { return kOptions; }

const SectionRow& GetSection(SectionKind kind) {
  return *std::ranges::find(kSections, kind, &SectionRow::kind);
}

bool AppliesTo(const OptionRow& row, InputType type) {
  constexpr unsigned kTypes = kForDatagrams | kForStreams | kForUnix | kForTcp;
  const unsigned ours = (type == InputType::kUnixDatagram ? kForDatagrams : kForStreams) |
                        (type == InputType::kTcp ? kForTcp : kForUnix);
  return (row.flags & kTypes) == 0 || (row.flags & ours) != 0;
}

std::string_view GetDefault(const OptionRow& row, InputType type) {
  const bool is_stream = type != InputType::kUnixDatagram;
  return is_stream && row.key == "max_message_size" ? kStreamMessage : row.default_text;
}

const OptionRow* FindOption(SectionKind section, std::string_view key) {
  for (const OptionRow& row : kOptions) {
    if (row.section == section && row.key == key) return &row;
  }
  return nullptr;
}

}  // namespace dory
