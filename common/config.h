// The configuration: what etc/dory.conf says, checked and typed.
//
// The options themselves (defaults, ranges, documentation) are the table in common/option_table.cc;
// a field below has no default of its own that counts. A Config comes from LoadConfig or
// ParseConfigText only, is complete and consistent, and is not changed afterwards. The supervisor
// loads the file and hands its workers DumpConfig's text, so that all of them run on the same one.
//
// Errors: every fault of a file is reported, one a line, as
//     FILE:LINE: [section] key = value: what is wrong; allowed: ...

#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/status.h"
#include "common/units.h"

namespace dory {

// The values of each enum are in the order of its words in the option table.
enum class WhenFull { kBlock, kReject };
enum class InputType { kUnixDatagram, kUnixStream, kTcp };
enum class Batching { kPerTopic, kCombined, kOff };
enum class TimestampSource { kClient, kReceive };
enum class EmptyValue { kNull, kEmpty };
enum class Compression { kNone, kGzip, kSnappy, kLz4, kZstd };  // Kafka's numbers, too
enum class Partitioner { kPartitionKey, kMurmur2, kCrc32 };
enum class PartitionKeyFallback { kWait, kNext };
enum class PartitionFull { kWait, kDiscardOldest, kDiscardNewest };
enum class OnAmbiguous { kAtLeastOnce, kAtMostOnce };
enum class Idempotence { kPreferred, kRequired };
enum class SecurityProtocol { kPlaintext, kSsl, kSaslPlaintext, kSaslSsl };
enum class TlsVerify { kFull, kChain, kNone };
enum class SaslMechanism { kNone, kPlain, kScramSha256, kScramSha512, kGssapi, kOauthbearer };
enum class LogLevel { kTrace, kDebug, kInfo, kWarning, kError };

// [input:NAME]. What its type has no use for is 0 or empty.
struct InputConfig {
  std::string name;
  InputType type{};
  std::string path;                // absolute; fits into sockaddr_un
  int32_t mode = 0;                // permission bits of the socket
  std::string owner;               // empty: as Dory runs
  std::string group;               // empty: as Dory runs
  int64_t max_message_size = 0;    // bytes of a whole message; <= LargestMessage(ring, pool)
  int32_t lane = 0;                // < Config::lanes; of a datagram socket
  int32_t port = 0;                // these two of tcp
  std::vector<std::string> bind;   // addresses, as inet_ntop writes them; never empty
  int64_t partial_timeout_ms = 0;  // of streams
  std::string allow = {};          // topics: common/topic_pattern.h; empty: all
  std::string deny = {};           // likewise, and of those that are allowed; empty: none

  bool IsStream() const { return type != InputType::kUnixDatagram; }
  bool IsUnix() const { return type != InputType::kTcp; }

  bool operator==(const InputConfig&) const = default;
};

// [tls]: to brokers
struct TlsConfig {
  std::string ca_file;             // of these four empty: the system's; none; in certificate_file; none
  std::string certificate_file;
  std::string key_file;
  std::string key_password_file;
  TlsVerify verify{};

  bool operator==(const TlsConfig&) const = default;
};

// [sasl]: who we are for brokers
struct SaslConfig {
  SaslMechanism mechanism{};
  std::string username;
  std::string password_file;
  std::string token_file;
  std::string token_command;       // instead of it
  std::string keytab_file;         // empty: the credentials that Kerberos finds by itself
  std::string service_name;

  bool operator==(const SaslConfig&) const = default;
};

// [kafka], and how its connections are secured
struct KafkaConfig {
  std::vector<HostPort> brokers;   // never empty
  std::string client_id;
  int64_t request_timeout_ms = 0;
  int64_t metadata_refresh_ms = 0;
  bool topic_autocreate = false;
  std::string topic_autocreate_allow;  // names and beginnings of names: common/topic_pattern.h
  Rate topic_autocreate_rate;          // count 0: off, any number
  Idempotence idempotence{};
  int64_t producer_id_expiration_ms = 0;  // the brokers'
  int64_t max_request_bytes = 0;
  int64_t in_flight_bytes = 0;
  SecurityProtocol security_protocol{};
  TlsConfig tls;
  SaslConfig sasl;

  bool UsesTls() const {
    return security_protocol == SecurityProtocol::kSsl || security_protocol == SecurityProtocol::kSaslSsl;
  }
  bool UsesSasl() const {
    return security_protocol == SecurityProtocol::kSaslPlaintext || security_protocol == SecurityProtocol::kSaslSsl;
  }
  bool operator==(const KafkaConfig&) const = default;
};

// [client:NAME]: limits for those who send
struct ClientConfig {
  std::string uid;     // these two lists as the file has them; of [client:*] empty
  std::string user;
  std::string allow;   // topics: as of an input
  std::string deny;
  Rate rate_limit;     // of each of them; count 0: off
  std::vector<uint32_t> uids = {};  // what the two lists say; config_clients.h

  bool operator==(const ClientConfig&) const = default;
};

// [topic:*] and [topic:NAME]
struct TopicConfig {
  // What each record looks at comes first (kafka_worker/topics.h).
  Batching batching{};
  Partitioner partitioner{};
  PartitionFull partition_full{};
  PartitionKeyFallback partition_key_fallback{};
  int64_t batch_bytes = 0;
  int64_t batch_messages = 0;              // 0: off, no limit by messages
  int64_t delivery_deadline_ms = 0;        // of the four deadlines 0: off, messages wait for ever

  int64_t batch_time_ms = 0;
  Compression compression{};
  int32_t compression_level = 0;           // 0: the codec's default; else one that it has
  int64_t compression_min_size = 0;
  int64_t compression_min_ratio = 0;       // percent
  TimestampSource timestamp{};
  EmptyValue empty_value{};
  Rate rate_limit;                         // count 0: off
  int64_t unknown_topic_deadline_ms = 0;
  int64_t authorization_deadline_ms = 0;
  int64_t server_error_deadline_ms = 0;
  OnAmbiguous on_ambiguous{};              // of batches that have a sequence

  bool operator==(const TopicConfig&) const = default;
};

struct Config {
  // [dory]
  std::string instance;
  std::string run_dir;             // absolute
  std::string user;                // empty: as started
  std::string group;               // empty: as started
  int64_t stop_timeout_ms = 0;

  // [buffer]
  int64_t ring_size = 0;
  int64_t pool_size = 0;
  std::string segment_dir;         // absolute, or "memfd"
  WhenFull when_full{};
  std::string reject_lanes;  // numbers
  int64_t partition_share = 0;  // percent of a lane's pool
  int32_t lanes = 0;
  int32_t max_topics = 0;
  int32_t stream_connections = 0;  // these four a lane
  int32_t stream_areas = 0;
  int32_t large_areas = 0;
  int32_t receipts = 0;

  // [log]
  std::string log_to;              // "stderr", "syslog" or an absolute path
  LogLevel log_level{};

  // [http]
  HostPort http_listen;            // port 0: off

  // [discard_report]
  int64_t report_interval_ms = 0;
  int64_t payload_prefix = 0;      // bytes; 0: none

  // [discard_log]
  std::string discard_log_path;    // absolute; empty: none is written
  int64_t discard_log_max_file_size = 0;     // bytes
  int64_t discard_log_max_archive_size = 0;  // bytes, of all full files
  int64_t discard_log_max_prefix = 0;        // bytes of a key and of a message

  std::vector<InputConfig> inputs;  // in the file's order; never empty
  std::map<std::string, ClientConfig, std::less<>> clients;  // by NAME; "*": all others
  KafkaConfig kafka;
  TopicConfig topic_defaults;       // [topic:*]
  std::map<std::string, TopicConfig, std::less<>> topics;  // [topic:NAME], over [topic:*]

  // What the file set itself: (section, key) such as ("buffer", "ring_size"). Not part of a dump,
  // a hash or a comparison: a default and the same value written out are the same configuration.
  std::set<std::pair<std::string, std::string>> set_in_file;

  // Whether the file set this option; false where the default applies.
  bool IsSet(std::string_view section, std::string_view key) const {
    return set_in_file.contains({std::string(section), std::string(key)});
  }

  // Whether new messages are rejected while the lane's buffer is full; else they are not read.
  bool RejectsWhenFull(uint32_t lane) const;

  bool HasStreams() const {
    return std::any_of(inputs.begin(), inputs.end(), [](const InputConfig& input) { return input.IsStream(); });
  }

  // The options of a topic: its own section, else [topic:*].
  const TopicConfig& ForTopic(std::string_view name) const {
    auto found = topics.find(name);
    return found == topics.end() ? topic_defaults : found->second;
  }
};

// Equal where the dumps are.
bool operator==(const Config& left, const Config& right);

// Reads `path` and what it includes.
Result<Config> LoadConfig(const std::string& path);

// The same from text; `name` stands for the file in errors, its folder is where includes are
// looked for.
Result<Config> ParseConfigText(std::string_view text, const std::string& name);

// The effective configuration as one flat text without includes, every option in the table's order.
// ParseConfigText(DumpConfig(c)) == c.
std::string DumpConfig(const Config& config);

// 16 hex digits over the dump: which configuration is running.
std::string HashConfig(const Config& config);

// The largest message, in bytes, that a ring and a pool of these sizes can take.
int64_t LargestMessage(int64_t ring_size, int64_t pool_size);

}  // namespace dory
