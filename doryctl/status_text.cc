#include "doryctl/status_text.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/figures.h"
#include "doryctl/text_table.h"

namespace dory::doryctl {
namespace {

using Json = nlohmann::ordered_json;
using Rows = std::vector<std::vector<std::string>>;

std::string Count(const Json& object, const char* key) {
  return object.contains(key) && object.at(key).is_number() ? fmt::format("{}", object.at(key).get<int64_t>()) : "-";
}

std::string Text(const Json& object, const char* key) {
  return object.contains(key) && object.at(key).is_string() ? object.at(key).get<std::string>() : "-";
}

std::string Age(const Json& object) {
  const Json& age = object.at("oldest_message_age_s");
  return age.is_number() ? FormatSeconds(age.get<double>()) : "-";
}

std::string HeadLine(const Json& status) {
  return fmt::format("dory {}, instance {}: {} (pid {}, {}, configuration {})\n", Text(status, "version"),
                     Text(status, "instance"), Text(status, "state"), Count(status, "pid"),
                     FormatSeconds(status.at("uptime_s").get<double>()), Text(status, "config_hash"));
}

std::string Reasons(const char* title, const Json& reasons) {
  std::string text;
  for (const auto& [reason, count] : reasons.items()) {
    if (count.get<uint64_t>() == 0) continue;
    text += fmt::format("{} {} {}", text.empty() ? "" : ",", reason, count.get<uint64_t>());
  }
  return text.empty() ? "" : fmt::format("{} by reason:{}\n", title, text);
}

std::string Books(const Json& status) {
  Rows rows(2);
  for (const auto& [name, count] : status.at("books").items()) {
    rows[0].push_back(name);
    rows[1].push_back(fmt::format("{}", count.get<uint64_t>()));
  }
  return FormatTable(rows) + Reasons("rejected", status.at("rejected_by")) + Reasons("discarded", status.at("discarded_by"));
}

std::string Buffer(const Json& status) {
  const Json& buffer = status.at("buffer");
  const Json& pool_used = buffer.at("pool_used");
  return FormatTable({{"buffer", "used", "of"},
                      {"ring", FormatBytes(buffer.at("ring_used").get<uint64_t>()),
                       FormatBytes(buffer.at("ring_bytes").get<uint64_t>())},
                      {"pool", pool_used.is_number() ? FormatBytes(pool_used.get<uint64_t>()) : "-",
                       FormatBytes(buffer.at("pool_bytes").get<uint64_t>())}}) +
         fmt::format("oldest message: {}\n", Age(status));
}

std::string Workers(const Json& status) {
  Rows rows = {{"worker", "state", "pid", "generation", "deaths", "cpu", "memory"}};
  for (const Json& worker : status.at("workers")) {
    rows.push_back({Text(worker, "name"), Text(worker, "state") + (worker.at("degraded") == true ? " (degraded)" : ""),
                    Count(worker, "pid"), Count(worker, "generation"), Count(worker, "deaths"),
                    FormatSeconds(worker.at("cpu_s").get<double>()), FormatBytes(worker.at("rss_bytes").get<uint64_t>())});
  }
  return FormatTable(rows);
}

std::string Brokers(const Json& status) {
  if (!status.contains("brokers")) return "";
  Rows rows = {{"broker", "address", "state", "produce", "format", "requests", "in flight"}};
  for (const Json& broker : status.at("brokers")) {
    const std::string suspects = broker.value("suspects", false) ? " (suspects)" : "";
    const bool asked = broker.contains("versions");
    rows.push_back({Count(broker, "id") + suspects, Text(broker, "address"), Text(broker, "state"),
                    asked && broker.at("versions").contains("Produce") ? Count(broker.at("versions"), "Produce") : "-",
                    asked ? Count(broker, "message_format") : "-", Count(broker, "requests"), Count(broker, "in_flight")});
  }
  return "\n" + FormatTable(rows);
}

std::string Topics(const Json& status) {
  if (status.at("topics").empty()) return "";
  Rows rows = {{"topic", "received", "rejected", "delivered", "discarded", "buffered", "partitions", "oldest"}};
  for (const Json& topic : status.at("topics")) {
    rows.push_back({Text(topic, "name"), Count(topic, "received"), Count(topic, "rejected"),
                    Count(topic, "delivered"), Count(topic, "discarded"), Count(topic, "buffered"),
                    Count(topic, "partitions"), Age(topic)});
  }
  return "\n" + FormatTable(rows);
}

std::string Warnings(const Json& status) {
  std::string text;
  for (const Json& warning : status.at("warnings")) text += "warning: " + Text(warning, "text") + "\n";
  return text.empty() ? "" : "\n" + text;
}

template <typename Formatter>
Result<std::string> Format(const std::string& json, Formatter formatter) {
  try {
    return formatter(Json::parse(json));
  } catch (const Json::exception& error) {
    return Status::Error(std::string("a status that can't be read: ") + error.what());
  }
}

}  // namespace

Result<std::string> FormatStatus(const std::string& status_json) {
  return Format(status_json, [](const Json& status) {
    return HeadLine(status) + "\n" + Books(status) + "\n" + Buffer(status) + "\n" + Workers(status) + Brokers(status) +
           Topics(status) + Warnings(status);
  });
}

Result<std::string> FormatWorkers(const std::string& status_json) { return Format(status_json, Workers); }

Result<std::string> IndentJson(const std::string& json) {
  return Format(json, [](const Json& whole) { return whole.dump(2) + "\n"; });
}

Result<std::string> IndentPart(const std::string& json, const std::string& key) {
  return Format(json, [&key](const Json& whole) { return whole.at(key).dump(2) + "\n"; });
}

}  // namespace dory::doryctl
