#include "common/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/option_table.h"

namespace dory {
namespace {

const std::string kLeast = "[kafka]\nbrokers = 127.0.0.1:9092\n";

Config Parse(const std::string& text) {
  Result<Config> config = ParseConfigText(text, "dory.conf");
  EXPECT_TRUE(config.ok()) << config.status().message();
  return config.ok() ? config.Take() : Config{};
}

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// With ";key = value" as "key = value"; comments in words begin with "; ".
std::string Uncomment(const std::string& sample) {
  std::string text;
  for (size_t i = 0; i < sample.size(); ++i) {
    const bool hides = sample[i] == ';' && i > 0 && sample[i - 1] == '\n' && sample[i + 1] != ' ';
    if (!hides) text += sample[i];
  }
  return text;
}

// A folder of files that goes away with the test.
class Folder {
 public:
  Folder() {
    std::string name = "/tmp/dory-config-test-XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string Write(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = std::filesystem::path(path_) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(ConfigTest, OnlyBrokersAreRequired) {
  Config config = Parse(kLeast);
  EXPECT_EQ(config.instance, "default");
  EXPECT_EQ(config.run_dir, "/run/dory");
  EXPECT_EQ(config.stop_timeout_ms, 30'000);
  EXPECT_EQ(config.ring_size, 64 << 20);
  EXPECT_EQ(config.pool_size, 256 << 20);
  EXPECT_EQ(config.segment_dir, "/dev/shm");
  EXPECT_EQ(config.when_full, WhenFull::kBlock);
  EXPECT_EQ(config.reject_lanes, "");
  EXPECT_EQ(config.partition_share, 25);
  EXPECT_EQ(config.lanes, 1);
  EXPECT_EQ(config.max_topics, 4096);
  EXPECT_EQ(config.stream_connections, 8192);
  EXPECT_EQ(config.stream_areas, 256);
  EXPECT_EQ(config.large_areas, 4);
  EXPECT_EQ(config.receipts, 16384);
  EXPECT_EQ(config.log_to, "stderr");
  EXPECT_EQ(config.log_level, LogLevel::kInfo);
  EXPECT_EQ(config.http_listen, (HostPort{"127.0.0.1", 9090}));
  EXPECT_EQ(config.report_interval_ms, 600'000);
  EXPECT_EQ(config.payload_prefix, 256);
  EXPECT_EQ(config.discard_log_path, "");
  EXPECT_EQ(config.discard_log_max_file_size, 16 << 20);
  EXPECT_EQ(config.discard_log_max_archive_size, 128 << 20);
  EXPECT_EQ(config.discard_log_max_prefix, 256);
  EXPECT_EQ(config.kafka.brokers, (std::vector<HostPort>{{"127.0.0.1", 9092}}));
  EXPECT_EQ(config.kafka.request_timeout_ms, 5'000);
  EXPECT_EQ(config.kafka.metadata_refresh_ms, 300'000);
  EXPECT_FALSE(config.kafka.topic_autocreate);
  EXPECT_EQ(config.kafka.idempotence, Idempotence::kPreferred);
  EXPECT_EQ(config.kafka.producer_id_expiration_ms, 86'400'000);
  EXPECT_EQ(config.kafka.max_request_bytes, 8 << 20);
  EXPECT_EQ(config.kafka.in_flight_bytes, 32 << 20);
  EXPECT_EQ(config.ForTopic("any"), (TopicConfig{
      .batching = Batching::kPerTopic, .partitioner = Partitioner::kPartitionKey, .partition_full = PartitionFull::kWait,
      .partition_key_fallback = PartitionKeyFallback::kWait, .batch_bytes = 256 << 10, .batch_messages = 0,
      .delivery_deadline_ms = 0, .batch_time_ms = 100, .compression = Compression::kNone, .compression_level = 0,
      .compression_min_size = 1024, .compression_min_ratio = 10, .timestamp = TimestampSource::kClient,
      .empty_value = EmptyValue::kNull, .rate_limit = {}, .unknown_topic_deadline_ms = 60'000,
      .authorization_deadline_ms = 0, .server_error_deadline_ms = 600'000, .on_ambiguous = OnAmbiguous::kAtLeastOnce}));
  EXPECT_EQ(config.inputs, (std::vector<InputConfig>{
                               {"datagram", InputType::kUnixDatagram,
                                "/run/dory/input_datagram_sock", 0222, "", "", 64 << 10, 0, 0, {}, 0, "", ""}}));
}

TEST(ConfigTest, LanesMayDifferInWhatTheyDoWhenFull) {
  const Config some = Parse("[buffer]\nlanes = 12\nreject_lanes = 1 ,11\n" + std::string(kLeast));
  for (uint32_t lane = 0; lane < 12; ++lane) EXPECT_EQ(some.RejectsWhenFull(lane), lane == 1 || lane == 11);
  EXPECT_FALSE(Parse(kLeast).RejectsWhenFull(0));
  EXPECT_TRUE(Parse("[buffer]\nwhen_full = reject\n" + std::string(kLeast)).RejectsWhenFull(3));
}

TEST(ConfigTest, EveryOptionIsRead) {
  Config config = Parse(
      "[dory]\ninstance=b\nrun_dir=/r\nuser=u\ngroup=g\nstop_timeout=0ms\n"
      "[buffer]\nring_size=4M\npool_size=16M\nsegment_dir=memfd\nwhen_full=reject\nreject_lanes=0\npartition_share=100%\nlanes=1\n"
      "max_topics=7\nstream_connections=8\nstream_areas=9\nlarge_areas=10\nreceipts=64\n"
      "[log]\nto=/var/log/dory.log\nlevel=error\n"
      "[http]\nlisten=[::1]:80\n"
      "[discard_report]\ninterval=7s\npayload_prefix=0\n"
      "[discard_log]\npath=/var/log/discards\nmax_file_size=1M\nmax_archive_size=0\nmax_prefix=7\n"
      "[kafka]\nbrokers=a:1,b:2\nclient_id=c\nrequest_timeout=1s\nmetadata_refresh=1h\n"
      "topic_autocreate=yes\ntopic_autocreate_allow=t*\ntopic_autocreate_rate=5/1s\nidempotence=required\nproducer_id_expiration=10s\n"
      "max_request_bytes=1M\nin_flight_bytes=2M\n"
      "security_protocol=SASL_SSL\n"
      "[tls]\nca_file=/ca\ncertificate_file=/c\nkey_file=/k\nkey_password_file=/p\nverify=chain\n"
      "[sasl]\nmechanism=SCRAM-SHA-512\nusername=n\npassword_file=/w\ntoken_file=\ntoken_command=\nkeytab_file=\n"
      "service_name=s\n"
      "[topic:*]\nbatching=off\nbatch_time=1ms\nbatch_bytes=1K\nbatch_messages=9\n"
      "compression=zstd\ncompression_level=22\ncompression_min_size=0\ncompression_min_ratio=99%\n"
      "partitioner=crc32\npartition_key_fallback=next\npartition_full=discard_newest\n"
      "timestamp=receive\nempty_value=empty\nrate_limit=7/3s\ndelivery_deadline=1h\nunknown_topic_deadline=off\n"
      "authorization_deadline=5s\nserver_error_deadline=off\non_ambiguous=at_most_once\n"
      "[input:x]\ntype=unix_datagram\npath=/r/x\nmode=0660\nowner=o\ngroup=p\n"
      "max_message_size=1M\nlane=0\nport=none\nbind=127.0.0.1, ::1\npartial_timeout=30s\nallow=a, b*\ndeny=bc\n"
      "[input:y]\ntype=tcp\nport=65535\nbind=::, 127.0.0.2\nmax_message_size=1025K\npartial_timeout=1h\n"
      "[input:z]\ntype=unix_stream\npath=/r/z\n"
      "[client:x]\nuid=8,9\nuser=root\nallow=c*\ndeny=cd\nrate_limit=6/2s\n");
  EXPECT_EQ(config.instance + config.run_dir + config.user + config.group, "b/rug");
  EXPECT_EQ(config.stop_timeout_ms, 0);
  EXPECT_EQ(config.ring_size, 4 << 20);
  EXPECT_EQ(config.pool_size, 16 << 20);
  EXPECT_EQ(config.segment_dir, "memfd");
  EXPECT_EQ(config.when_full, WhenFull::kReject);
  EXPECT_EQ(config.reject_lanes, "0");
  EXPECT_EQ(config.partition_share, 100);
  EXPECT_EQ(config.max_topics, 7);
  EXPECT_EQ(config.log_to, "/var/log/dory.log");
  EXPECT_EQ(config.log_level, LogLevel::kError);
  EXPECT_EQ(config.http_listen, (HostPort{"::1", 80}));
  EXPECT_EQ(config.report_interval_ms, 7'000);
  EXPECT_EQ(config.payload_prefix, 0);
  EXPECT_EQ(config.discard_log_path, "/var/log/discards");
  EXPECT_EQ(config.discard_log_max_file_size, 1 << 20);
  EXPECT_EQ(config.discard_log_max_archive_size, 0);
  EXPECT_EQ(config.discard_log_max_prefix, 7);
  EXPECT_EQ(config.kafka, (KafkaConfig{{{"a", 1}, {"b", 2}}, "c", 1000, 3'600'000, true, "t*", {5, 1000}, Idempotence::kRequired,
                                       10'000, 1 << 20, 2 << 20,
                                       SecurityProtocol::kSaslSsl,
                                       {"/ca", "/c", "/k", "/p", TlsVerify::kChain},
                                       {SaslMechanism::kScramSha512, "n", "/w", "", "", "", "s"}}));
  EXPECT_EQ(config.topic_defaults, (TopicConfig{
      .batching = Batching::kOff, .partitioner = Partitioner::kCrc32, .partition_full = PartitionFull::kDiscardNewest,
      .partition_key_fallback = PartitionKeyFallback::kNext, .batch_bytes = 1024, .batch_messages = 9,
      .delivery_deadline_ms = 3'600'000, .batch_time_ms = 1, .compression = Compression::kZstd, .compression_level = 22,
      .compression_min_size = 0, .compression_min_ratio = 99, .timestamp = TimestampSource::kReceive,
      .empty_value = EmptyValue::kEmpty, .rate_limit = Rate{7, 3000}, .unknown_topic_deadline_ms = 0,
      .authorization_deadline_ms = 5000, .server_error_deadline_ms = 0, .on_ambiguous = OnAmbiguous::kAtMostOnce}));
  EXPECT_EQ(config.inputs, (std::vector<InputConfig>{{"x", InputType::kUnixDatagram, "/r/x", 0660,
                                                      "o", "p", 1 << 20, 0, 0, {}, 0, "a, b*", "bc"},
                                                     {"y", InputType::kTcp, "", 0, "", "", 1025 << 10, 0, 65535,
                                                      {"::", "127.0.0.2"}, 3'600'000, "", ""},
                                                     {"z", InputType::kUnixStream, "/r/z", 0222, "", "",
                                                      (2 << 20) - 64, 0, 0, {}, 30'000, "", ""}}));
  EXPECT_EQ(config.clients, (decltype(config.clients){{"x", {"8,9", "root", "c*", "cd", {6, 2000}, {8, 9, 0}}}}));
  EXPECT_EQ(config.stream_connections * 10000 + config.stream_areas * 100 + config.large_areas, 80910);
  EXPECT_EQ(config.receipts, 64);
  for (const OptionRow& row : ListOptions()) {
    std::string section(GetSection(row.section).prefix);
    if (section == "topic:") section += "*";
    if (section == "input:" || section == "client:") section += "x";
    EXPECT_TRUE(config.IsSet(section, row.key)) << section << " " << row.key;
  }
  EXPECT_EQ(Parse(DumpConfig(config)), config);
}

TEST(ConfigTest, TheFormIsForgiving) {
  Config config = Parse(
      "\xEF\xBB\xBF; a comment\r\n# another\r\n\r\n  [kafka] ; the cluster\r\n"
      "\t brokers=a:1 ; one is enough\r\n"
      "client_id = a;b # c \r\n;" + std::string(300, 'x') + "\r\n"
      "[topic:" + std::string(249, 't') + "]\r\nbatch_time = 7ms");
  EXPECT_EQ(config.kafka.brokers, (std::vector<HostPort>{{"a", 1}}));
  EXPECT_EQ(config.kafka.client_id, "a;b # c");
  EXPECT_EQ(config.ForTopic(std::string(249, 't')).batch_time_ms, 7);
  EXPECT_EQ(Parse(DumpConfig(config)), config);
}

TEST(ConfigTest, ATopicIsOverTheDefaultsInAnyOrder) {
  Config config = Parse(kLeast +
                        "[topic:web.log]\nbatch_bytes = 1M\n[topic:*]\nbatch_time = 5s\n"
                        "batch_bytes = 2M\n[topic:audit]\nbatching = off\n");
  EXPECT_EQ(config.ForTopic("web.log").batch_bytes, 1 << 20);
  EXPECT_EQ(config.ForTopic("web.log").batch_time_ms, 5000);
  EXPECT_EQ(config.ForTopic("audit").batching, Batching::kOff);
  EXPECT_EQ(config.ForTopic("audit").batch_bytes, 2 << 20);
  EXPECT_EQ(config.ForTopic("other"), config.topic_defaults);
}

TEST(ConfigTest, PathsFollowRunDirAndName) {
  Config config = Parse(kLeast + "[input:a]\n[input:b-2]\npath = {run_dir}/{instance}.{name}\n"
                                 "[dory]\nrun_dir = /srv/d\ninstance = x\n");
  ASSERT_EQ(config.inputs.size(), 2u);
  EXPECT_EQ(config.inputs[0].path, "/srv/d/input_a_sock");
  EXPECT_EQ(config.inputs[1].path, "/srv/d/x.b-2");
  EXPECT_EQ(Parse(kLeast + "[dory]\nrun_dir = /srv/d\n").inputs[0].path,
            "/srv/d/input_datagram_sock");
}

TEST(ConfigTest, TheDefaultsOfStreams) {
  Config config = Parse(kLeast + "[input:s]\ntype = unix_stream\n[input:t]\ntype = tcp\nport = 9100\n");
  EXPECT_EQ(config.inputs, (std::vector<InputConfig>{
                               {"s", InputType::kUnixStream, "/run/dory/input_s_sock", 0222, "", "", 16 << 20, 0, 0,
                                {}, 30'000, "", ""},
                               {"t", InputType::kTcp, "", 0, "", "", 16 << 20, 0, 9100, {"127.0.0.1", "::1"}, 30'000, "", ""}}));
  EXPECT_TRUE(config.HasStreams());
  EXPECT_FALSE(Parse(kLeast).HasStreams());
  EXPECT_EQ(Parse(DumpConfig(config)).inputs, config.inputs);
}

TEST(ConfigTest, ATcpInputHasNoPathThatCouldBeTooLong) {
  Config config = Parse(kLeast + "[input:" + std::string(100, 'n') + "]\ntype = tcp\nport = 9100\n");
  EXPECT_EQ(config.inputs[0].path, "");
}

TEST(ConfigTest, TheClientIdNamesHostAndInstance) {
  char host[256] = {};
  ASSERT_EQ(gethostname(host, sizeof host - 1), 0);
  EXPECT_EQ(Parse(kLeast + "[dory]\ninstance = x\n").kafka.client_id,
            "dory-" + std::string(host) + "-x");
}

TEST(ConfigTest, WhatTheFileSetIsKnown) {
  Config config = Parse(kLeast + "[buffer]\nring_size = 64M\n");
  EXPECT_TRUE(config.IsSet("buffer", "ring_size"));
  EXPECT_FALSE(config.IsSet("buffer", "pool_size"));
  EXPECT_EQ(config, Parse(kLeast));
  EXPECT_EQ(HashConfig(config), HashConfig(Parse(kLeast)));
}

TEST(ConfigTest, TheHashFollowsEveryValue) {
  const std::string hash = HashConfig(Parse(kLeast));
  EXPECT_EQ(hash.size(), 16u);
  EXPECT_EQ(hash.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(HashConfig(Parse(kLeast + "[log]\nlevel = debug\n")), hash);
  EXPECT_NE(HashConfig(Parse(kLeast + "[topic:a]\n")), hash);
}

TEST(ConfigTest, ADumpIsReadBack) {
  const std::string texts[] = {
      kLeast, kLeast + "[input:b]\n[input:a]\nmode = 0600\n[topic:z]\n[topic:y]\nbatch_time = 1h\n",
      "[kafka]\nbrokers=" + std::string(180, 'h') + ":9092\n[log]\nto=/a b;c\n"};
  for (const std::string& text : texts) {
    Config config = Parse(text);
    Config again = Parse(DumpConfig(config));
    EXPECT_EQ(DumpConfig(again), DumpConfig(config));
    EXPECT_EQ(again.inputs, config.inputs);
    EXPECT_EQ(again.kafka, config.kafka);
    EXPECT_EQ(again.topics, config.topics);
  }
}

TEST(ConfigTest, IncludesAreReadInOrderFromTheFilesOwnFolder) {
  Folder folder;
  const std::string main = folder.Write(
      "dory.conf", "include = conf.d/*.conf\n[dory]\ninclude = more/k.conf\ninstance = i\n");
  folder.Write("conf.d/2.conf", "[input:two]\n");
  folder.Write("conf.d/1.conf", "[input:one]\n");
  folder.Write("conf.d/3.txt", "not read\n");
  folder.Write("more/k.conf", "include = l.conf\n[log]\nlevel = debug\n");
  folder.Write("more/l.conf", kLeast);
  Result<Config> config = LoadConfig(main);
  ASSERT_TRUE(config.ok()) << config.status().message();
  ASSERT_EQ(config.value().inputs.size(), 2u);
  EXPECT_EQ(config.value().inputs[0].name, "one");
  EXPECT_EQ(config.value().inputs[1].name, "two");
  EXPECT_EQ(config.value().instance, "i");
  EXPECT_EQ(config.value().log_level, LogLevel::kDebug);
  EXPECT_EQ(ParseConfigText(DumpConfig(config.value()), "dump").Take(), config.value());
}

TEST(ConfigTest, AnIncludesErrorsNameIt) {
  Folder folder;
  const std::string main = folder.Write("dory.conf", "include = a.conf\n" + kLeast + "x = 1\n");
  const std::string a = folder.Write("a.conf", "\n[log]\nlevel = loud\n[kafka]\n");
  Result<Config> config = LoadConfig(main);
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.status().message(),
            main + ":4: [kafka] x = 1: unknown option; allowed: brokers, client_id, "
                   "request_timeout, metadata_refresh, topic_autocreate, topic_autocreate_allow, "
                   "topic_autocreate_rate, idempotence, producer_id_expiration, max_request_bytes, in_flight_bytes, security_protocol\n" +
                a + ":3: [log] level = loud: unknown value; allowed: trace, debug, info, warning, "
                    "error\n" +
                a + ":4: [kafka]: stands already at " + main + ":2; allowed: once");
}

TEST(ConfigTest, IncludesThatLeadBackAreRefused) {
  Folder folder;
  const std::string main = folder.Write("dory.conf", "include = a.conf\n" + kLeast);
  const std::string a = folder.Write("a.conf", "include = ../" +
      std::filesystem::path(folder.path()).filename().string() + "/dory.conf\n");
  Result<Config> config = LoadConfig(main);
  ASSERT_FALSE(config.ok());
  EXPECT_TRUE(config.status().message().starts_with(a + ":1: include = ../")) <<
      config.status().message();
  EXPECT_NE(config.status().message().find("includes itself"), std::string::npos);
  EXPECT_EQ(std::ranges::count(config.status().message(), '\n'), 0);
}

TEST(ConfigTest, APatternMayMatchNothingButAFileMustExist) {
  Folder folder;
  EXPECT_TRUE(LoadConfig(folder.Write("a.conf", "include = none.d/*.conf\n" + kLeast)).ok());
  const std::string b = folder.Write("b.conf", "include = none.conf\n" + kLeast);
  EXPECT_EQ(LoadConfig(b).status().message(),
            b + ":1: include = none.conf: " + folder.path() +
                "/none.conf cannot be opened: No such file or directory; allowed: a readable file");
}

TEST(ConfigTest, AFileThatIsNoneIsSaid) {
  EXPECT_EQ(LoadConfig("/nowhere/dory.conf").status().message(),
            "/nowhere/dory.conf: cannot be opened: No such file or directory");
  EXPECT_EQ(LoadConfig("/tmp").status().message(), "/tmp: cannot be read: Is a directory");
  EXPECT_EQ(LoadConfig("/dev/zero").status().message(),
            "/dev/zero: more than 1M is no configuration");
}

TEST(ConfigTest, TheLargestMessageFollowsRingAndPool) {
  EXPECT_EQ(LargestMessage(64 << 20, 256 << 20), (32 << 20) - 64);
  EXPECT_EQ(LargestMessage(64 << 20, 16 << 20), 4 << 20);
  EXPECT_EQ(LargestMessage(int64_t{16} << 30, int64_t{64} << 30), 100 << 20);
}

TEST(OptionTableTest, EveryDefaultIsAllowedAndWrittenOnce) {
  for (const OptionRow& row : ListOptions()) {
    const bool expands = row.default_text.find('{') != std::string_view::npos;
    EXPECT_TRUE(expands || ParseOption(row, row.default_text).ok()) << row.key;
    EXPECT_EQ(FindOption(row.section, row.key), &row) << row.key << " twice";
    EXPECT_LE(row.key.size(), 30u) << row.key;
    EXPECT_TRUE(row.doc.ends_with('.')) << row.key;
    EXPECT_NE(row.flags & (kSupervisor | kIntake | kKafkaWorker), 0u) << row.key;
  }
}

TEST(SampleFileTest, LoadsAndSaysTheDefaults) {
  const std::string sample = ReadWhole("etc/dory.conf");
  Config config = Parse(sample);
  EXPECT_EQ(config, Parse(kLeast));
  Config explicit_config = Parse(Uncomment(sample));
  EXPECT_EQ(explicit_config, config);
  EXPECT_TRUE(explicit_config.IsSet("topic:*", "batch_time"));
  EXPECT_TRUE(explicit_config.IsSet("input:datagram", "path"));
}

}  // namespace
}  // namespace dory
