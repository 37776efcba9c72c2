// judge: reads whole topics and says whether every numbered message arrived once, in order and in
// its partition (verdict.h). It shares nothing with the daemon: it consumes with librdkafka.
//
// Order: topics are read from their first offset. It is done once nothing has come for a moment, the
//        high watermarks are reached and, with --expect, no message is missing; or once nothing
//        has come for --wait seconds; with --follow not before SIGTERM or SIGINT either.
// Errors: 0 all is well, 1 something is lost, doubled, out of order, misplaced, unexpected or
//         unreadable, 2 wrong options or the brokers could not be read.

#include <librdkafka/rdkafka.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/verdict.h"

namespace dory::tests {
namespace {

using Clock = std::chrono::steady_clock;

volatile std::sig_atomic_t stop_asked = 0;

void AskToStop(int) {
  stop_asked = 1;
}

struct Options {
  std::string brokers;
  std::vector<std::string> topics;
  std::vector<std::string> reports;
  std::vector<std::string> settings;
  double wait_s = 10;
  bool follow = false;
};

// Said to the user, with exit 2. It never leaves this file.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Partition {
  PartitionSeen seen;
  int64_t position = 0;  // the next offset to be read
};

struct Topic {
  std::string name;
  rd_kafka_topic_t* handle = nullptr;
  std::vector<Partition> partitions;
};

class Reader {
 public:
  Reader(const Options& options, Verdict& verdict) : verdict_(verdict) {
    MakeConsumer(options);
    queue_ = rd_kafka_queue_new(kafka_);
    const std::chrono::duration<double> wait(options.wait_s);
    const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(wait);
    for (const std::string& name : options.topics) AddTopic(name, deadline);
    for (const std::unique_ptr<Topic>& topic : topics_) StartTopic(*topic);
  }

  ~Reader() {
    for (const std::unique_ptr<Topic>& topic : topics_) {
      for (size_t i = 0; i < topic->partitions.size(); ++i) {
        rd_kafka_consume_stop(topic->handle, static_cast<int32_t>(i));
      }
      rd_kafka_topic_destroy(topic->handle);
    }
    rd_kafka_queue_destroy(queue_);
    rd_kafka_destroy(kafka_);
  }

  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // Hands what has come to the verdict; waits at most `timeout_ms`. Returns how many.
  size_t Read(int timeout_ms) {
    batch_.resize(kBatch);
    const ssize_t count = rd_kafka_consume_batch_queue(queue_, timeout_ms, batch_.data(), kBatch);
    for (ssize_t i = 0; i < count; ++i) {
      Take(*batch_[static_cast<size_t>(i)]);
      rd_kafka_message_destroy(batch_[static_cast<size_t>(i)]);
    }
    return count > 0 ? static_cast<size_t>(count) : 0;
  }

  // Whether everything has been read that the partitions hold now.
  bool IsAtEnd() {
    for (const std::unique_ptr<Topic>& topic : topics_) {
      for (const Partition& partition : topic->partitions) {
        int64_t low = 0;
        int64_t high = 0;
        if (!QueryWatermarks(*topic, partition.seen.partition, low, high)) return false;
        if (partition.position < high && low < high) return false;
      }
    }
    return true;
  }

 private:
  static constexpr size_t kBatch = 4096;
  static constexpr int kRequest_ms = 5000;

  void MakeConsumer(const Options& options) {
    rd_kafka_conf_t* const conf = rd_kafka_conf_new();
    std::vector<std::pair<std::string, std::string>> settings = {
        {"bootstrap.servers", options.brokers},
        {"auto.offset.reset", "earliest"},
        {"enable.auto.commit", "false"},
        {"fetch.wait.max.ms", "50"},
        {"fetch.error.backoff.ms", "50"},
        {"queued.min.messages", "20000"},
        {"queued.max.messages.kbytes", "4096"},
        {"reconnect.backoff.max.ms", "500"},
        {"check.crcs", "true"},
    };
    for (const std::string& setting : options.settings) {
      const size_t at = setting.find('=');
      if (at == std::string::npos) throw Failure(setting + ": not NAME=VALUE");
      settings.emplace_back(setting.substr(0, at), setting.substr(at + 1));
    }
    char error[512];
    for (const auto& [name, value] : settings) {
      if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error, sizeof(error)) != RD_KAFKA_CONF_OK) {
        throw Failure(error);
      }
    }
    // Brokers that die are part of the tests; what matters is said by the verdict.
    rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
    kafka_ = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof(error));
    if (kafka_ == nullptr) throw Failure(error);
  }

  void AddTopic(const std::string& name, Clock::time_point deadline) {
    topics_.push_back(std::make_unique<Topic>());
    Topic& topic = *topics_.back();
    rd_kafka_topic_conf_t* const conf = rd_kafka_topic_conf_new();
    rd_kafka_topic_conf_set_opaque(conf, &topic);
    topic.name = name;
    topic.handle = rd_kafka_topic_new(kafka_, name.c_str(), conf);
    if (topic.handle == nullptr) throw Failure(name + ": " + LastError());
    int32_t count = CountPartitions(topic);
    while (count == 0 && Clock::now() < deadline) {
      rd_kafka_poll(kafka_, 100);
      count = CountPartitions(topic);
    }
    if (count == 0) throw Failure("topic " + name + ": not there, or the brokers do not answer");
    topic.partitions.resize(static_cast<size_t>(count));
    for (int32_t i = 0; i < count; ++i) {
      topic.partitions[static_cast<size_t>(i)].seen = {name, i, count, {}};
    }
  }

  int32_t CountPartitions(const Topic& topic) {
    const rd_kafka_metadata_t* metadata = nullptr;
    if (rd_kafka_metadata(kafka_, 0, topic.handle, &metadata, kRequest_ms) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      return 0;
    }
    const int32_t count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    return count;
  }

  void StartTopic(Topic& topic) {
    for (Partition& partition : topic.partitions) {
      if (rd_kafka_consume_start_queue(topic.handle, partition.seen.partition,
                                       RD_KAFKA_OFFSET_BEGINNING, queue_) != 0) {
        throw Failure(topic.name + ": " + LastError());
      }
    }
  }

  void Take(const rd_kafka_message_t& message) {
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR || message.rkt == nullptr) return;
    Topic& topic = *static_cast<Topic*>(rd_kafka_topic_opaque(message.rkt));
    Partition& partition = topic.partitions[static_cast<size_t>(message.partition)];
    verdict_.See(partition.seen, {static_cast<const char*>(message.key), message.key_len},
                 {static_cast<const char*>(message.payload), message.len}, message.offset);
    partition.position = message.offset + 1;
  }

  bool QueryWatermarks(const Topic& topic, int32_t partition, int64_t& low, int64_t& high) {
    return rd_kafka_query_watermark_offsets(kafka_, topic.name.c_str(), partition, &low, &high,
                                            kRequest_ms) == RD_KAFKA_RESP_ERR_NO_ERROR;
  }

  static std::string LastError() { return rd_kafka_err2str(rd_kafka_last_error()); }

  Verdict& verdict_;
  rd_kafka_t* kafka_ = nullptr;
  rd_kafka_queue_t* queue_ = nullptr;
  std::vector<std::unique_ptr<Topic>> topics_;
  std::vector<rd_kafka_message_t*> batch_;
};

void LoadReports(const std::vector<std::string>& files, Verdict& verdict) {
  for (const std::string& file : files) {
    std::ifstream input(file);
    const nlohmann::json report = nlohmann::json::parse(input, nullptr, false);
    if (!report.is_object()) throw Failure(file + ": not a sender's report");
    verdict.Expect(report.value("sender", 0u), report.value("sent_any", uint64_t{0}),
                   report.value("sent_key", uint64_t{0}));
  }
}

void PrintProgress(const Verdict& verdict) {
  const nlohmann::json line = {{"arrived", verdict.arrived()}, {"doubled", verdict.doubled()}};
  std::cerr << line.dump() << "\n";
}

// The senders' reports need not be there before the signal.
void FollowUntilSignal(Reader& reader, const Verdict& verdict) {
  Clock::time_point said = Clock::now();
  while (!stop_asked) {
    reader.Read(200);
    if (Clock::now() - said < std::chrono::seconds(1)) continue;
    PrintProgress(verdict);
    said = Clock::now();
  }
}

void ReadToEnd(Reader& reader, const Verdict& verdict, double wait_s) {
  Clock::time_point last = Clock::now();
  for (;;) {
    if (reader.Read(200) > 0) {
      last = Clock::now();
      continue;
    }
    if (reader.IsAtEnd() && verdict.CountMissing() == 0) return;
    if (std::chrono::duration<double>(Clock::now() - last).count() > wait_s) return;
  }
}

int Run(const Options& options) {
  Verdict verdict;
  Reader reader(options, verdict);
  if (options.follow) FollowUntilSignal(reader, verdict);
  LoadReports(options.reports, verdict);
  ReadToEnd(reader, verdict, options.wait_s);
  // An unreadable value among the examples need not be UTF-8.
  using Json = nlohmann::json;
  std::cout << verdict.Judge().dump(1, ' ', false, Json::error_handler_t::replace) << std::endl;
  return verdict.clean() ? 0 : 1;
}

void AddOptions(CLI::App& app, Options& options) {
  app.add_option("--brokers", options.brokers, "bootstrap list, host:port,...")->required();
  app.add_option("--topics", options.topics, "the topics, a,b,...")->delimiter(',')->required();
  app.add_option("--expect", options.reports,
                 "numbered_sender's reports, of all that was sent to these topics");
  app.add_option("--set", options.settings, "NAME=VALUE of librdkafka's, for brokers older than 0.10");
  app.add_option("--wait", options.wait_s, "seconds without a new message after which to give up");
  app.add_flag("--follow", options.follow,
               "read until SIGTERM with a line a second to stderr, then load reports and judge");
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Judges whether numbered messages arrived once, in order and in their partition.");
  AddOptions(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  struct sigaction action = {};
  action.sa_handler = AskToStop;
  if (options.follow) sigaction(SIGTERM, &action, nullptr);
  if (options.follow) sigaction(SIGINT, &action, nullptr);
  try {
    return Run(options);
  } catch (const std::exception& failure) {
    std::cerr << "judge: " << failure.what() << "\n";
    return 2;
  }
}

}  // namespace
}  // namespace dory::tests

int main(int argc, char** argv) {
  return dory::tests::Main(argc, argv);
}
