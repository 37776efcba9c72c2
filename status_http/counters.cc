#include "status_http/counters.h"

#include <fmt/core.h>

#include <span>

#include "status_http/server_info.h"

namespace dory::status_http {
namespace {

constexpr const char* kIntake = "[intake_worker]";
constexpr const char* kKafka = "[kafka_worker]";
constexpr const char* kSupervisor = "[supervisor]";

// A counter and where it stands in the status: part and key.
struct CounterRow {
  const char* location;
  const char* name;
  const char* part;
  const char* key;
};

constexpr CounterRow kRows[] = {
    {kIntake, "MessagesReceived", "books", "received"},
    {kIntake, "MessagesRejected", "books", "rejected"},
    {kIntake, "MessagesAppended", "books", "appended"},
    {kKafka, "MessagesDelivered", "books", "delivered"},
    {kKafka, "MessagesDiscarded", "books", "discarded"},
    {kKafka, "PossibleDuplicates", "books", "possible_duplicates"},
};

// Names that the monitoring of an old daemon reads. All inputs are datagram sockets, and an old daemon
// discarded as too long what we discard because a broker takes no message of that size.
constexpr CounterRow kOldRows[] = {
    {kIntake, "UnixDgInputAgentForwardMsg", "books", "appended"},
    {kIntake, "InputAgentDiscardMsgMalformed", "rejected_by", "malformed"},
    {kIntake, "InputAgentDiscardMsgNoMem", "rejected_by", "no_room"},
    {kIntake, "InputAgentDiscardMsgUnsupportedApiKey", "rejected_by", "unsupported_key"},
    {kIntake, "DiscardDueToRateLimit", "rejected_by", "rate_limit"},
    {kKafka, "DiscardLongMsg", "discarded_by", "too_large"},
    {kKafka, "PossibleDuplicateMsg", "books", "possible_duplicates"},
};

// "unclean_tcp" is "UncleanTcp".
std::string MakeName(const std::string& words) {
  std::string name;
  bool begins = true;
  for (const char c : words) {
    if (c != '_') name += begins && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    begins = c == '_';
  }
  return name;
}

void AddRows(std::span<const CounterRow> rows, const Json& status, std::vector<Counter>* counters) {
  for (const CounterRow& row : rows) {
    counters->push_back({row.location, row.name, Number(Part(status, row.part), row.key)});
  }
}

void AddReasons(const char* location, const std::string& prefix, const Json& reasons,
                std::vector<Counter>* counters) {
  for (const auto& [reason, count] : reasons.items()) {
    counters->push_back({location, prefix + MakeName(reason), Number(reasons, reason.c_str())});
  }
}

uint64_t CountDeaths(const Json& status) {
  uint64_t deaths = 0;
  for (const Json& worker : Part(status, "workers")) deaths += Number(worker, "deaths");
  return deaths;
}

}  // namespace

std::vector<Counter> ListCounters(const Json& status) {
  std::vector<Counter> counters;
  AddRows(kRows, status, &counters);
  AddReasons(kIntake, "Reject", Part(status, "rejected_by"), &counters);
  AddReasons(kKafka, "Discard", Part(status, "discarded_by"), &counters);
  counters.push_back({kSupervisor, "WorkerDeaths", CountDeaths(status)});
  AddRows(kOldRows, status, &counters);
  return counters;
}

std::string FormatCounters(const Json& status, int64_t now) {
  std::string text = FormatServerInfo(status, now) + "\n";
  for (const Counter& counter : ListCounters(status)) {
    text += fmt::format("{}.{}={}\n", counter.location, counter.name, counter.value);
  }
  return text;
}

Json MakeCounters(const Json& status, int64_t now) {
  Json json = MakeServerInfo(status, now);
  Json& list = json["counters"] = Json::array();
  for (const Counter& counter : ListCounters(status)) {
    list.push_back({{"location", counter.location}, {"name", counter.name}, {"value", counter.value}});
  }
  return json;
}

}  // namespace dory::status_http
