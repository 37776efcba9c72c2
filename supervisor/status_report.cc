#include "supervisor/status_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "shm/layout.h"
#include "supervisor/discard_report.h"

namespace dory::supervisor {
namespace {

using Json = nlohmann::ordered_json;

// One topic in all lanes.
struct TopicTotals {
  shm::TopicBooks books;
  int32_t partitions = 0;
  uint64_t waiting_batches = 0;
  int64_t oldest_age_ms = -1;
};

template <size_t N>
void AddEach(const std::array<uint64_t, N>& from, std::array<uint64_t, N>* to) {
  for (size_t i = 0; i < N; ++i) (*to)[i] += from[i];
}

void AddBooks(const shm::TopicBooks& from, shm::TopicBooks* to) {
  to->appended += from.appended;
  to->delivered += from.delivered;
  to->possible_duplicates += from.possible_duplicates;
  AddEach(from.rejected, &to->rejected);
  AddEach(from.discarded, &to->discarded);
}

template <typename Reason, size_t N>
Json ListReasons(const std::array<uint64_t, N>& counters, bool all) {
  Json list = Json::object();
  for (size_t i = 0; i < static_cast<size_t>(Reason::kCount); ++i) {
    if (all || counters[i] != 0) list[shm::NameOf(static_cast<Reason>(i))] = counters[i];
  }
  return list;
}

Json AgeInSeconds(int64_t age_ms) {
  if (age_ms < 0) return nullptr;
  return static_cast<double>(age_ms) / 1000;
}

double RoundToMs(double seconds) { return std::round(seconds * 1000) / 1000; }

class Report {
 public:
  explicit Report(const StatusFacts& facts) : facts_(facts) { SumUp(); }

  Json Make() const {
    Json json;
    json["version"] = DORY_VERSION;
    json["instance"] = facts_.instance;
    json["state"] = facts_.state;
    json["pid"] = facts_.pid;
    json["started_at"] = facts_.started_at;
    json["counted_since"] = facts_.counted_since;
    json["uptime_s"] = RoundToMs(facts_.uptime_s);
    json["config_hash"] = facts_.config_hash;
    json["books"] = MakeBooks();
    json["rejected_by"] = ListReasons<shm::Reject>(total_.rejected, true);
    json["discarded_by"] = ListReasons<shm::Discard>(total_.discarded, true);
    json["oldest_message_age_s"] = AgeInSeconds(oldest_age_ms_);
    json["buffer"] = MakeBuffer();
    json["inputs"] = MakeInputs();
    json["workers"] = MakeWorkers();
    if (kafka_answered_) json["brokers"] = MakeBrokers();
    json["topics"] = MakeTopics();
    json["unsupported_versions"] = MakeVersions();
    json["no_topic"] = {{"rejected", no_topic_.Rejected()}, {"discarded", no_topic_.Discarded()}};
    json["discard_report"] = MakeReport();
    json["warnings"] = MakeWarnings();
    return json;
  }

 private:
  void SumUp() {
    for (const LaneFacts& lane : facts_.lanes) {
      AddBooks(lane.books.no_topic, &no_topic_);
      for (const shm::TopicBooks& topic : lane.books.topics) AddBooks(topic, &topics_[topic.name].books);
    }
    AddBooks(no_topic_, &total_);
    for (const auto& [name, topic] : topics_) AddBooks(topic.books, &total_);
    for (const auto& [name, answer] : facts_.answers) {
      if (!name.starts_with("kafka-")) continue;
      kafka_answered_ = true;
      AddAnswer(answer);
    }
  }

  void AddAnswer(const control::WorkerStatus& answer) {
    pool_used_ += (answer.pool_blocks() - answer.pool_blocks_free()) * shm::kBlockSize;
    for (const control::TopicStatus& status : answer.topics()) {
      oldest_age_ms_ = std::max(oldest_age_ms_, status.oldest_age_ms());
      const auto found = topics_.find(status.name());
      if (found == topics_.end()) continue;
      TopicTotals& topic = found->second;
      topic.partitions = std::max(topic.partitions, status.partitions());
      topic.waiting_batches += status.waiting_batches();
      topic.oldest_age_ms = std::max(topic.oldest_age_ms, status.oldest_age_ms());
    }
  }

  Json MakeBooks() const {
    const uint64_t rejected = total_.Rejected();
    const uint64_t discarded = total_.Discarded();
    return {{"received", total_.appended + rejected},
            {"rejected", rejected},
            {"appended", total_.appended},
            {"delivered", total_.delivered},
            {"discarded", discarded},
            {"buffered", total_.appended - total_.delivered - discarded},
            {"possible_duplicates", total_.possible_duplicates}};
  }

  Json MakeBuffer() const {
    LaneFacts sum;
    for (const LaneFacts& lane : facts_.lanes) {
      sum.ring_bytes += lane.ring_bytes;
      sum.ring_used += lane.ring_used;
      sum.pool_bytes += lane.pool_bytes;
      sum.overflow_bytes += lane.overflow_bytes;
    }
    Json json = {{"ring_bytes", sum.ring_bytes}, {"ring_used", sum.ring_used}, {"pool_bytes", sum.pool_bytes}};
    json["pool_used"] = kafka_answered_ ? Json(pool_used_) : Json(nullptr);
    json["overflow_bytes"] = sum.overflow_bytes;
    return json;
  }

  Json MakeInputs() const {
    constexpr const char* kTypes[] = {"unix_datagram", "unix_stream", "tcp"};
    Json list = Json::array();
    for (const InputFacts& input : facts_.inputs) {
      list.push_back({{"name", input.name}, {"type", kTypes[static_cast<size_t>(input.type)]}});
      if (input.type != InputType::kTcp) list.back()["restored"] = input.restored;
      if (input.type == InputType::kUnixDatagram) continue;
      list.back()["connections"] = input.connections;
      list.back()["accepted"] = input.accepted;
    }
    return list;
  }

  Json MakeWorkers() const {
    Json list = Json::array();
    for (const WorkerFacts& worker : facts_.workers) {
      list.push_back({{"name", worker.name},
                      {"pid", worker.pid},
                      {"state", worker.state},
                      {"generation", worker.generation},
                      {"deaths", worker.deaths},
                      {"degraded", worker.degraded},
                      {"cpu_s", worker.cpu_s},
                      {"rss_bytes", worker.rss_bytes}});
    }
    return list;
  }

  Json MakeBrokers() const {
    Json list = Json::array();
    for (const auto& [name, answer] : facts_.answers) {
      for (const control::BrokerStatus& broker : answer.brokers()) {
        list.push_back({{"id", broker.id()},
                        {"address", broker.address()},
                        {"state", broker.state()},
                        {"requests", broker.requests()},
                        {"in_flight", broker.in_flight()},
                        {"suspects", broker.suspects()}});
        if (broker.versions().empty()) continue;
        list.back()["versions"] = std::map<std::string, int32_t>(broker.versions().begin(), broker.versions().end());
        list.back()["message_format"] = broker.message_format();
      }
    }
    return list;
  }

  Json MakeTopics() const {
    Json list = Json::array();
    for (const auto& [name, topic] : topics_) {
      const shm::TopicBooks& books = topic.books;
      list.push_back({{"name", name},
                      {"received", books.appended + books.Rejected()},
                      {"rejected", books.Rejected()},
                      {"appended", books.appended},
                      {"delivered", books.delivered},
                      {"discarded", books.Discarded()},
                      {"buffered", books.appended - books.delivered - books.Discarded()},
                      {"possible_duplicates", books.possible_duplicates},
                      {"rejected_by", ListReasons<shm::Reject>(books.rejected, false)},
                      {"discarded_by", ListReasons<shm::Discard>(books.discarded, false)},
                      {"partitions", topic.partitions},
                      {"waiting_batches", topic.waiting_batches},
                      {"oldest_message_age_s", AgeInSeconds(topic.oldest_age_ms)}});
    }
    return list;
  }

  Json MakeVersions() const {
    std::map<std::pair<int16_t, int16_t>, uint64_t> counts;
    for (const LaneFacts& lane : facts_.lanes) {
      for (const shm::VersionCount& kind : lane.books.unsupported_versions) {
        counts[{kind.api_key, kind.api_version}] += kind.count;
      }
    }
    Json list = Json::array();
    for (const auto& [kind, count] : counts) {
      list.push_back({{"api_key", kind.first}, {"version", kind.second}, {"count", count}});
    }
    return list;
  }

  Json MakeReport() const {
    std::vector<LaneReport> lanes;
    for (const LaneFacts& lane : facts_.lanes) {
      lanes.push_back({&lane.books, &lane.intake_report, &lane.kafka_report});
    }
    return MakeDiscardReport(lanes, facts_.report_interval_ms);
  }

  Json MakeWarnings() const {
    Json list = Json::array();
    const auto add = [&list](const std::string& name, const std::string& text) {
      list.push_back({{"name", name}, {"text", text}});
    };
    for (const Warning& warning : facts_.warnings) add(warning.name, warning.text);
    for (const std::string& name : facts_.silent) add("no_status", name + " did not answer for its status");
    for (const auto& [name, answer] : facts_.answers) {
      for (const std::string& text : answer.warnings()) add("worker", name + ": " + text);
    }
    return list;
  }

  const StatusFacts& facts_;
  std::map<std::string, TopicTotals> topics_;
  shm::TopicBooks no_topic_;
  shm::TopicBooks total_;
  uint64_t pool_used_ = 0;
  int64_t oldest_age_ms_ = -1;
  bool kafka_answered_ = false;
};

}  // namespace

// Bytes of a name that are no UTF-8 are shown as U+FFFD: an answer is always valid JSON.
std::string MakeStatusJson(const StatusFacts& facts) {
  return Report(facts).Make().dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace dory::supervisor
