#include "status_http/site.h"

#include <algorithm>
#include <utility>

#include "status_http/counters.h"
#include "status_http/discards.h"
#include "status_http/health.h"
#include "status_http/page.h"
#include "status_http/page_files.h"
#include "status_http/server_info.h"

namespace dory::status_http {
namespace {

constexpr std::string_view kHtml = "text/html; charset=utf-8";
constexpr std::string_view kPlain = "text/plain; charset=utf-8";
constexpr std::string_view kJson = "application/json";
constexpr int kIndent = 4;        // as the old daemon wrote
constexpr int kStatusIndent = 2;  // as doryctl does

HttpAnswer Plain(std::string text, unsigned code = kOk) { return {code, kPlain, std::move(text)}; }
HttpAnswer Indented(const Json& json) { return {kOk, kJson, WriteJson(json, kIndent)}; }

// What is made of the status.
struct Report {
  std::string_view path;
  HttpAnswer (*make)(const Json& status, int64_t now);
};

constexpr Report kReports[] = {
    {"/", [](const Json& status, int64_t now) { return HttpAnswer{kOk, kHtml, RenderPage(status, now)}; }},
    {"/status.json",
     [](const Json& status, int64_t) { return HttpAnswer{kOk, kJson, WriteJson(status, kStatusIndent)}; }},
    {"/healthz",
     [](const Json& status, int64_t) {
       Health health = JudgeHealth(status);
       return Plain(std::move(health.text), health.code);
     }},
    {"/counters", [](const Json& status, int64_t now) { return Plain(FormatCounters(status, now)); }},
    {"/counters/plain", [](const Json& status, int64_t now) { return Plain(FormatCounters(status, now)); }},
    {"/counters/json", [](const Json& status, int64_t now) { return Indented(MakeCounters(status, now)); }},
    {"/discards", [](const Json& status, int64_t now) { return Plain(FormatDiscards(status, now)); }},
    {"/discards/plain", [](const Json& status, int64_t now) { return Plain(FormatDiscards(status, now)); }},
    {"/discards/json", [](const Json& status, int64_t now) { return Indented(MakeDiscards(status, now)); }},
    {"/server_info", [](const Json& status, int64_t now) { return Plain(FormatServerInfo(status, now)); }},
    {"/server_info/plain", [](const Json& status, int64_t now) { return Plain(FormatServerInfo(status, now)); }},
    {"/server_info/json", [](const Json& status, int64_t now) { return Indented(MakeServerInfo(status, now)); }},
};

// What the page is made of besides.
struct File {
  std::string_view path;
  std::string_view content_type;
  std::string_view text;
};

constexpr File kFiles[] = {
    {"/page.css", "text/css; charset=utf-8", kPageStyle},
    {"/page.js", "text/javascript; charset=utf-8", kPageScript},
};

SharedAnswer Share(HttpAnswer answer) { return std::make_shared<const HttpAnswer>(std::move(answer)); }

SharedAnswer NotFound() {
  std::string text = "Nothing is here. There are:\n";
  for (const Report& report : kReports) text.append(report.path).append("\n");
  return Share(Plain(std::move(text), kNotFound));
}

}  // namespace

void Site::Answer(const HttpRequest& request, const HttpServer::Reply& reply) {
  const auto* const report = std::ranges::find(kReports, request.path, &Report::path);
  const auto* const file = std::ranges::find(kFiles, request.path, &File::path);
  if (report == std::end(kReports) && file == std::end(kFiles)) return reply(NotFound());
  if (request.method != "GET" && request.method != "HEAD") {
    return reply(Share(Plain("Only GET and HEAD: nothing can be changed here.\n", kMethodNotAllowed)));
  }
  if (file != std::end(kFiles)) return reply(Share({kOk, file->content_type, std::string(file->text)}));
  source_.Get([this, path = report->path, reply](const std::shared_ptr<const Snapshot>& snapshot) {
    reply(snapshot ? Render(path, snapshot) : Share(Plain("dory does not answer\n", kUnavailable)));
  });
}

SharedAnswer Site::Render(std::string_view path, const std::shared_ptr<const Snapshot>& snapshot) {
  if (std::exchange(rendered_of_, snapshot) != snapshot) rendered_.clear();
  SharedAnswer& answer = rendered_[path];
  if (!answer) {
    answer = Share(std::ranges::find(kReports, path, &Report::path)->make(snapshot->status, snapshot->taken_at));
  }
  return answer;
}

}  // namespace dory::status_http
