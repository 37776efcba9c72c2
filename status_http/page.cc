#include "status_http/page.h"

#include <fmt/core.h>

#include <algorithm>

#include "common/figures.h"
#include "status_http/html.h"
#include "status_http/server_info.h"

namespace dory::status_http {
namespace {

using Row = std::vector<Cell>;

constexpr std::string_view kUnknown = "–";

// ---- cells -------------------------------------------------------------------------------------

std::string Count(const Json& object, const char* key) { return FormatCount(Number(object, key)); }

std::string Age(const Json& object) {
  const Json& age = Part(object, "oldest_message_age_s");
  return age.is_number() ? FormatSeconds(age.get<double>()) : std::string(kUnknown);
}

Cell CountCell(const Json& object, const char* key) { return {Count(object, key)}; }

// Something that should be 0.
Cell LossCell(const Json& object, const char* key) {
  return {Count(object, key), Number(object, key) > 0 ? "bad" : ""};
}

Cell StateCell(const std::string& state) {
  if (state == "up") return {state, "state up"};
  const bool moves = state == "starting" || state == "connecting" || state == "negotiating" || state == "throttled";
  return {state, moves ? "state moving" : "state bad"};
}

// ---- the head of the page ----------------------------------------------------------------------

std::string_view StyleOf(const std::string& state) {
  if (state == "up") return "up";
  return state == "degraded" ? "bad" : "moving";
}

std::string RenderTitle(const Json& status, int64_t now) {
  const std::string state = Text(status, "state");
  return fmt::format(
      "<header>\n<h1>Dory <small>{}</small></h1>\n<span class=\"badge {}\">{}</span>\n"
      "<p>version {} · pid {} · up {}<br>as of {}</p>\n</header>\n",
      EscapeHtml(Text(status, "instance")), StyleOf(state), EscapeHtml(state), EscapeHtml(Text(status, "version")),
      Number(status, "pid"), FormatSeconds(Part(status, "uptime_s").is_number() ? status["uptime_s"].get<double>() : 0),
      EscapeHtml(FormatTime(now).substr(FormatTime(now).find(' ') + 1)));
}

std::string RenderWarnings(const Json& status) {
  const Json& warnings = Part(status, "warnings");
  if (warnings.empty()) return "";
  std::string html = "<section class=\"warnings\">\n<h2>Warnings</h2>\n<ul>\n";
  for (const Json& warning : warnings) {
    html += fmt::format("<li><b>{}</b> {}</li>\n", EscapeHtml(Text(warning, "name")),
                        EscapeHtml(Text(warning, "text")));
  }
  return html + "</ul>\n</section>\n";
}

std::string RenderFigure(std::string_view title, const Cell& cell) {
  return fmt::format("<div class=\"card {}\"><dt>{}</dt><dd>{}</dd></div>\n", cell.style, title,
                     EscapeHtml(cell.text));
}

std::string RenderFigures(const Json& status) {
  const Json& books = Part(status, "books");
  return "<dl class=\"figures\">\n" + RenderFigure("received", CountCell(books, "received")) +
         RenderFigure("delivered", CountCell(books, "delivered")) +
         RenderFigure("buffered", CountCell(books, "buffered")) + RenderFigure("oldest message", {Age(status)}) +
         RenderFigure("rejected", LossCell(books, "rejected")) +
         RenderFigure("discarded", LossCell(books, "discarded")) +
         RenderFigure("possible duplicates", LossCell(books, "possible_duplicates")) + "</dl>\n";
}

// ---- sections ----------------------------------------------------------------------------------

std::string RenderSection(std::string_view title, const std::string& content) {
  return fmt::format("<section>\n<h2>{}</h2>\n{}</section>\n", title, content);
}

std::string RenderFill(std::string_view name, const Json& buffer, const char* used_key, const char* size_key) {
  const uint64_t size = Number(buffer, size_key);
  if (!Part(buffer, used_key).is_number()) {
    return fmt::format("<p class=\"fill\"><span>{}</span> <i></i> <span>{} of {}</span></p>\n", name, kUnknown,
                       FormatBytes(size));
  }
  const uint64_t used = Number(buffer, used_key);
  return fmt::format(
      "<p class=\"fill\"><span>{}</span> <progress max=\"{}\" value=\"{}\"></progress> "
      "<span>{} of {}</span></p>\n",
      name, size, used, FormatBytes(used), FormatBytes(size));
}

std::string RenderBuffer(const Json& status) {
  const Json& buffer = Part(status, "buffer");
  std::string html = RenderFill("ring", buffer, "ring_used", "ring_bytes") +
                     RenderFill("pool", buffer, "pool_used", "pool_bytes");
  const uint64_t overflow = Number(buffer, "overflow_bytes");
  if (overflow > 0) html += fmt::format("<p>{} wait in the overflow file</p>\n", FormatBytes(overflow));
  return RenderSection("Buffer", html);
}

std::string RenderWorkers(const Json& status) {
  std::vector<Row> rows;
  for (const Json& worker : Part(status, "workers")) {
    const uint64_t generation = Number(worker, "generation");
    const uint64_t pid = Number(worker, "pid");
    const Json& cpu_s = Part(worker, "cpu_s");
    rows.push_back({{Text(worker, "name")},
                    StateCell(Text(worker, "state")),
                    {pid > 0 ? std::to_string(pid) : std::string(kUnknown)},
                    {FormatCount(generation)},
                    {Count(worker, "deaths"), Flag(worker, "degraded") ? "bad" : ""},
                    {cpu_s.is_number() ? FormatSeconds(cpu_s.get<double>()) : std::string(kUnknown)},
                    {FormatBytes(Number(worker, "rss_bytes"))}});
  }
  return RenderSection("Workers", FormatHtmlTable({{"worker", false},
                                                   {"state", false},
                                                   {"pid"},
                                                   {"generation"},
                                                   {"deaths"},
                                                   {"CPU"},
                                                   {"memory"}},
                                                  rows, "none"));
}

std::string RenderBrokers(const Json& status) {
  std::vector<Row> rows;
  for (const Json& broker : Part(status, "brokers")) {
    const Json& id = Part(broker, "id");
    const bool known = id.is_number() && id.get<int64_t>() >= 0;
    rows.push_back({{Text(broker, "address")},
                    StateCell(Text(broker, "state")),
                    {known ? std::to_string(id.get<int64_t>()) : std::string(kUnknown)},
                    CountCell(broker, "requests"),
                    CountCell(broker, "in_flight")});
  }
  const bool answered = status.contains("brokers");
  return RenderSection("Brokers", FormatHtmlTable({{"broker", false},
                                                   {"state", false},
                                                   {"id"},
                                                   {"requests"},
                                                   {"in flight"}},
                                                  rows, answered ? "none yet" : "the kafka worker does not answer"));
}

// Those first that somebody has to look at.
std::vector<Json> SortTopics(const Json& status) {
  std::vector<Json> topics(Part(status, "topics").begin(), Part(status, "topics").end());
  const auto weight = [](const Json& topic) {
    return std::tuple(Number(topic, "buffered"), Number(topic, "discarded") + Number(topic, "rejected"),
                      Number(topic, "received"));
  };
  std::ranges::stable_sort(topics, [&](const Json& left, const Json& right) { return weight(left) > weight(right); });
  return topics;
}

std::string RenderTopics(const Json& status) {
  const std::vector<Json> topics = SortTopics(status);
  std::vector<Row> rows;
  for (const Json& topic : topics) {
    if (rows.size() == kMostTopicsShown) break;
    rows.push_back({{Text(topic, "name"), "name"}, CountCell(topic, "received"), CountCell(topic, "delivered"),
                    CountCell(topic, "buffered"), {Age(topic)}, LossCell(topic, "rejected"),
                    LossCell(topic, "discarded"), LossCell(topic, "possible_duplicates"),
                    CountCell(topic, "partitions")});
  }
  std::string html = FormatHtmlTable({{"topic", false},
                                      {"received"},
                                      {"delivered"},
                                      {"buffered"},
                                      {"oldest"},
                                      {"rejected"},
                                      {"discarded"},
                                      {"possible duplicates"},
                                      {"partitions"}},
                                     rows, "none yet");
  if (topics.size() > rows.size()) {
    html += fmt::format("<p class=\"nothing\">and {} more, in <a href=\"/status.json\">/status.json</a></p>\n",
                        FormatCount(topics.size() - rows.size()));
  }
  return RenderSection("Topics", html);
}

std::string RenderReasons(const Json& status) {
  std::vector<Row> rows;
  for (const auto& [part, what] : {std::pair("rejected_by", "rejected"), std::pair("discarded_by", "discarded")}) {
    for (const auto& [reason, count] : Part(status, part).items()) {
      const uint64_t number = count.is_number() ? count.get<uint64_t>() : 0;
      if (number > 0) rows.push_back({{reason}, {what}, {FormatCount(number)}});
    }
  }
  return RenderSection("Rejects and discards by reason",
                       FormatHtmlTable({{"reason", false}, {"messages were", false}, {"count"}}, rows, "none"));
}

constexpr std::string_view kHead =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n"
    "<link rel=\"stylesheet\" href=\"/page.css\">\n<script src=\"/page.js\" defer></script>\n"
    "<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>\n";

constexpr std::string_view kFoot =
    "<footer><p class=\"lost\" role=\"alert\">No answer from Dory: these figures are old.</p>\n"
    "<nav><a href=\"/status.json\">status.json</a> <a href=\"/counters\">counters</a> "
    "<a href=\"/discards\">discards</a> <a href=\"/server_info\">server_info</a> <a href=\"/healthz\">healthz</a>"
    "</nav></footer>\n</body>\n</html>\n";

}  // namespace

std::string RenderPage(const Json& status, int64_t now) {
  return fmt::format("{}<title>Dory {}: {}</title>\n</head>\n<body>\n<main>\n", kHead,
                     EscapeHtml(Text(status, "instance")), EscapeHtml(Text(status, "state"))) +
         RenderTitle(status, now) + RenderWarnings(status) + RenderFigures(status) +
         "<div class=\"beside\">\n" + RenderBuffer(status) + RenderReasons(status) + "</div>\n" +
         RenderWorkers(status) + RenderBrokers(status) + RenderTopics(status) + "</main>\n" + std::string(kFoot);
}

}  // namespace dory::status_http
