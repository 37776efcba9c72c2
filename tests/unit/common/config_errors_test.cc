// Broken configurations: each names its file and line, what was read, and what is allowed.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "common/config.h"

namespace dory {
namespace {

struct BrokenFile {
  const char* name;
  std::string text;
  std::string error;  // all of it, without "dory.conf:" in front of each line
};

const std::string kKafka = "[kafka]\nbrokers = a:1\n";  // what is broken begins in line 3
const std::string kSections =
    "[dory], [buffer], [log], [kafka], [topic:NAME], [input:NAME]";
const std::string kLineForms = "; allowed: [section], key = value, ; comment";
const std::string kBrokerForms = "; allowed: HOST:PORT, [IPV6]:PORT, ...";
const std::string kPathForms = "; allowed: an absolute path of at most ";

const BrokenFile kBrokenFiles[] = {
    // ---- lines
    {"NoEquals", kKafka + "nonsense\n", "3: nonsense: not understood" + kLineForms},
    {"NoKey", kKafka + "= 1\n", "3: = 1: not understood" + kLineForms},
    {"CommentedEquals", kKafka + "client_id ; = x\n",
     "3: client_id ; = x: not understood" + kLineForms},
    {"ContinuedLine", "[kafka]\nbrokers = a:1,\n  b:2\n",
     "2: [kafka] brokers = a:1,: '' has no port" + kBrokerForms +
         "\n3: [kafka] b = 2: unknown option; allowed: brokers, client_id, request_timeout, "
         "metadata_refresh, topic_autocreate, max_request_bytes"},
    {"ContinuedWord", kKafka + "client_id = x\n  y\n", "4: y: not understood" + kLineForms},
    {"LastLine", kKafka + "\n\nnonsense", "5: nonsense: not understood" + kLineForms},
    {"LongLine", kKafka + "client_id = " + std::string(188, 'x') + "\n",
     "3: client_id = " + std::string(28, 'x') + "...: a line of 200 bytes; allowed: at most 199"},
    {"ControlCharacter", kKafka + "client_id = a\x01z\n",
     "3: a control character; allowed: printable text"},
    {"ZeroByte", kKafka + std::string("client_id = a\0z\n", 16),
     "3: a control character; allowed: printable text"},

    // ---- sections
    {"UnclosedSection", kKafka + "[dory\ninstance = x y\n",
     "3: [dory: not understood" + kLineForms},
    {"TextBehindSection", kKafka + "[dory] x\n", "3: [dory] x: not understood" + kLineForms},
    {"BeforeSections", "instance = x\n" + kKafka,
     "1: instance = x: stands before the first section; allowed: include = FILES"},
    {"UnknownSection", kKafka + "[spill]\ndir = /x\n",
     "3: [spill]: unknown section; allowed: " + kSections},
    {"NearSection", kKafka + "[bufer]\nring_size = nonsense\n",
     "3: [bufer]: unknown section; did you mean [buffer]; allowed: " + kSections},
    {"NearNamedSection", kKafka + "[imput:x]\n",
     "3: [imput:x]: unknown section; did you mean [input:NAME]; allowed: " + kSections},
    {"InputWithoutName", kKafka + "[input]\n",
     "3: [input]: unknown section; did you mean [input:NAME]; allowed: " + kSections},
    {"UpperCase", kKafka + "[LOG]\n", "3: [LOG]: unknown section; allowed: " + kSections},
    {"EmptyInputName", kKafka + "[input:]\n",
     "3: [input:]: not a name; allowed: letters, digits, '_' and '-'"},
    {"BadInputName", kKafka + "[input:a.b]\n",
     "3: [input:a.b]: not a name; allowed: letters, digits, '_' and '-'"},
    {"BadTopicName", kKafka + "[topic:a b]\n",
     "3: [topic:a b]: not a name of a topic; allowed: *, or 1 to 249 letters, digits, '.', '_' and "
     "'-', not '.' or '..'"},
    {"DotsForTopic", kKafka + "[topic:..]\n",
     "3: [topic:..]: not a name of a topic; allowed: *, or 1 to 249 letters, digits, '.', '_' and "
     "'-', not '.' or '..'"},
    {"LongTopicName", kKafka + "[topic:" + std::string(250, 't') + "]\n",
     "3: [topic:" + std::string(250, 't') +
         "]: not a name of a topic; allowed: *, or 1 to 249 letters, digits, '.', '_' and '-', not "
         "'.' or '..'"},
    {"SectionTwice", kKafka + "[log]\nlevel = info\n[dory]\n[log]\nlevel = loud\n",
     "6: [log]: stands already at dory.conf:3; allowed: once\n"
     "7: [log] level = loud: unknown value; allowed: trace, debug, info, warning, error"},
    {"TopicTwice", kKafka + "[topic:*]\n[topic:a]\n[topic:*]\n[topic:a]\n",
     "5: [topic:*]: stands already at dory.conf:3; allowed: once\n"
     "6: [topic:a]: stands already at dory.conf:4; allowed: once"},
    {"InputTwice", kKafka + "[input:a]\n[input:a]\n",
     "4: [input:a]: stands already at dory.conf:3; allowed: once"},

    // ---- keys
    {"NearKey", kKafka + "[buffer]\nringsize = 64M\n",
     "4: [buffer] ringsize = 64M: unknown option; did you mean ring_size; allowed: ring_size, "
     "pool_size, segment_dir, when_full, lanes, max_topics"},
    {"KeyOfAnotherSection", kKafka + "[log]\nring_size = 64M\n",
     "4: [log] ring_size = 64M: unknown option; allowed: to, level"},
    {"KeyOfALaterStage", kKafka + "[topic:*]\ncompression = lz4\n",
     "4: [topic:*] compression = lz4: unknown option; allowed: batching, batch_time, batch_bytes, "
     "batch_messages, timestamp, empty_value, unknown_topic_deadline"},
    {"IncludeWithinSection", kKafka + "[log]\ninclude = x.conf\n",
     "4: [log] include = x.conf: unknown option; allowed: to, level"},
    {"KeyTwice", kKafka + "\nbrokers = a:1\n",
     "4: [kafka] brokers = a:1: set already at dory.conf:2; allowed: once"},
    {"BrokersMissing", "[dory]\n\n; nothing\n",
     "3: [kafka] brokers: missing" + kBrokerForms},
    {"BrokersMissingInSection", "[dory]\n[kafka]\nclient_id = x\n",
     "2: [kafka] brokers: missing" + kBrokerForms},
    {"EmptyFile", "", "1: [kafka] brokers: missing" + kBrokerForms},

    // ---- values
    {"BrokersEmpty", "[kafka]\nbrokers =\n", "2: [kafka] brokers = : '' has no port" + kBrokerForms},
    {"BrokerWithoutPort", "[kafka]\nbrokers = a:1, b\n",
     "2: [kafka] brokers = a:1, b: 'b' has no port" + kBrokerForms},
    {"BrokerPortZero", "[kafka]\nbrokers = a:0\n",
     "2: [kafka] brokers = a:0: 'a:0' has no port of 1 to 65535" + kBrokerForms},
    {"BrokerBareIpv6", "[kafka]\nbrokers = ::1:9092\n",
     "2: [kafka] brokers = ::1:9092: '::1:9092' is neither HOST:PORT nor [IPV6]:PORT" +
         kBrokerForms},
    {"BrokerTwice", "[kafka]\nbrokers = a:1,a:1\n",
     "2: [kafka] brokers = a:1,a:1: 'a:1' stands there twice" + kBrokerForms},
    {"InstanceWithSlash", kKafka + "[dory]\ninstance = a/b\n",
     "4: [dory] instance = a/b: not a name; allowed: 1 to 64 letters, digits, '.', '_' and '-'"},
    {"InstanceEmpty", kKafka + "[dory]\ninstance =\n",
     "4: [dory] instance = : empty; allowed: 1 to 64 letters, digits, '.', '_' and '-'"},
    {"RelativeRunDir", kKafka + "[dory]\nrun_dir = run\n",
     "4: [dory] run_dir = run: not an absolute path" + kPathForms + "80 bytes"},
    {"LongRunDir", kKafka + "[dory]\nrun_dir = /" + std::string(80, 'r') + "\n",
     "4: [dory] run_dir = /" + std::string(80, 'r') + ": 81 bytes are too many" + kPathForms +
         "80 bytes"},
    {"NoUnit", kKafka + "[dory]\nstop_timeout = 30\n",
     "4: [dory] stop_timeout = 30: not a duration such as 500ms, 10s, 5m or 2h; allowed: 0ms to "
     "24h"},
    {"LongTimeout", kKafka + "[dory]\nstop_timeout = 25h\n",
     "4: [dory] stop_timeout = 25h: too large; allowed: 0ms to 24h"},
    {"SmallRing", kKafka + "[buffer]\nring_size = 1M\n",
     "4: [buffer] ring_size = 1M: too small; allowed: 4M to 16G"},
    {"LargePool", kKafka + "[buffer]\npool_size = 65G\n",
     "4: [buffer] pool_size = 65G: too large; allowed: 16M to 64G"},
    {"BadSize", kKafka + "[buffer]\nring_size = 64MB\n",
     "4: [buffer] ring_size = 64MB: not a size such as 65536, 64K, 256M or 1G; allowed: 4M to 16G"},
    {"SegmentWord", kKafka + "[buffer]\nsegment_dir = shm\n",
     "4: [buffer] segment_dir = shm: not an absolute path; allowed: memfd, or an absolute path of "
     "at most 107 bytes"},
    {"WhenFull", kKafka + "[buffer]\nwhen_full = drop\n",
     "4: [buffer] when_full = drop: unknown value; allowed: block, reject"},
    {"TwoLanes", kKafka + "[buffer]\nlanes = 2\n",
     "4: [buffer] lanes = 2: too large; allowed: 1"},
    {"NoTopics", kKafka + "[buffer]\nmax_topics = 0\n",
     "4: [buffer] max_topics = 0: too small; allowed: 1 to 65535"},
    {"TopicsWithUnit", kKafka + "[buffer]\nmax_topics = 4K\n",
     "4: [buffer] max_topics = 4K: not a whole number; allowed: 1 to 65535"},
    {"Boolean", kKafka + "topic_autocreate = true\n",
     "3: [kafka] topic_autocreate = true: unknown value; allowed: yes, no"},
    {"EmptyClientId", kKafka + "client_id = ;x\n",
     "3: [kafka] client_id = : empty; allowed: a text of at most 160 bytes"},
    {"Placeholder", kKafka + "client_id = {hostname}\n",
     "3: [kafka] client_id = {hostname}: an unknown {placeholder}; allowed: a text of at most 160 "
     "bytes"},
    {"Combined", kKafka + "[topic:*]\nbatching = combined\n",
     "4: [topic:*] batching = combined: unknown value; allowed: per_topic, off"},
    {"OffWhereItIsNot", kKafka + "[topic:a]\nbatch_time = off\n",
     "4: [topic:a] batch_time = off: not a duration such as 500ms, 10s, 5m or 2h; allowed: 1ms to "
     "1h"},
    {"NoMessages", kKafka + "[topic:a]\nbatch_messages = 0\n",
     "4: [topic:a] batch_messages = 0: too small; allowed: off, or 1 to 1000000"},
    {"ShortDeadline", kKafka + "[topic:a]\nunknown_topic_deadline = 1ms\n",
     "4: [topic:a] unknown_topic_deadline = 1ms: too small; allowed: off, or 1s to 24h"},
    {"StreamInput", kKafka + "[input:a]\ntype = unix_stream\n",
     "4: [input:a] type = unix_stream: unknown value; allowed: unix_datagram"},
    {"DecimalMode", kKafka + "[input:a]\nmode = 0999\n",
     "4: [input:a] mode = 0999: not permission bits in octal such as 0222; allowed: 0000 to 0777"},
    {"Lane", kKafka + "[input:a]\nlane = 1\n", "4: [input:a] lane = 1: too large; allowed: 0"},
    {"LongSocketPath", kKafka + "[input:a]\npath = /" + std::string(107, 'p') + "\n",
     "4: [input:a] path = /" + std::string(107, 'p') + ": 108 bytes are too many" + kPathForms +
         "107 bytes"},
    {"LongDefaultPath", kKafka + "[input:" + std::string(90, 'n') + "]\n",
     "3: [input:" + std::string(90, 'n') + "] path = /run/dory/input_" + std::string(90, 'n') +
         "_sock: 111 bytes are too many" + kPathForms + "107 bytes"},
    {"LogFile", kKafka + "[log]\nto = dory.log\n",
     "4: [log] to = dory.log: not an absolute path; allowed: stderr, syslog, or an absolute path of "
     "at most 160 bytes"},

    // ---- values that do not go together
    {"SamePath", kKafka + "[input:a]\npath = /x/s\n[input:b]\nmode = 0600\npath = /x//s\n",
     "7: [input:b] path = /x//s: the path of [input:a]; allowed: one of its own"},
    {"LargeMessageForRing", kKafka + "[input:a]\nmax_message_size = 3M\n[buffer]\nring_size = 4M\n",
     "4: [input:a] max_message_size = 3M: more than the buffer takes; allowed: at most 2097088, or "
     "raise [buffer] ring_size (4M)"},
    {"LargeMessageForPool", kKafka + "[input:a]\nmax_message_size = 5M\n[buffer]\npool_size = 16M\n",
     "4: [input:a] max_message_size = 5M: more than the buffer takes; allowed: at most 4M, or raise "
     "[buffer] pool_size (16M)"},
    {"LargeMessageForBoth", kKafka + "[input:a]\nmax_message_size = 100M\n",
     "4: [input:a] max_message_size = 100M: more than the buffer takes; allowed: at most 33554368, "
     "or raise [buffer] ring_size (64M) and [buffer] pool_size (256M)"},
    {"HugeMessage", kKafka + "[input:a]\nmax_message_size = 101M\n",
     "4: [input:a] max_message_size = 101M: too large; allowed: 1K to 100M"},

    // ---- all of them at once, in the order of the file
    {"Several", "x\n[log]\nlevel = loud\n[nonsense]\n[buffer]\nring_size = 1\nlanes = x\n",
     "1: x: not understood" + kLineForms +
         "\n3: [log] level = loud: unknown value; allowed: trace, debug, info, warning, error"
         "\n4: [nonsense]: unknown section; allowed: " + kSections +
         "\n6: [buffer] ring_size = 1: too small; allowed: 4M to 16G"
         "\n7: [buffer] lanes = x: not a whole number; allowed: 1"
         "\n7: [kafka] brokers: missing" + kBrokerForms},
};

std::string PrefixLines(const std::string& text) {
  std::string prefixed = "dory.conf:";
  for (char c : text) {
    prefixed += c;
    if (c == '\n') prefixed += "dory.conf:";
  }
  return prefixed;
}

class ConfigErrorsTest : public testing::TestWithParam<BrokenFile> {};

TEST_P(ConfigErrorsTest, SaysFileLineWhatWasReadAndWhatIsAllowed) {
  Result<Config> config = ParseConfigText(GetParam().text, "dory.conf");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.status().message(), PrefixLines(GetParam().error));
}

INSTANTIATE_TEST_SUITE_P(BrokenFiles, ConfigErrorsTest, testing::ValuesIn(kBrokenFiles),
                         [](const auto& test) { return std::string(test.param.name); });

void PrintTo(const BrokenFile& file, std::ostream* out) { *out << file.name; }

}  // namespace
}  // namespace dory
