// Writes what the option table says as documents: `config_docs sample` is etc/dory.conf,
// `config_docs markdown` is doc/detailed_config.md. `make docs` rewrites both, `make docs-check`
// fails where one is stale.

#include <cstdio>
#include <string>
#include <string_view>

#include "common/option_table.h"

namespace dory {
namespace {

constexpr size_t kColumns = 98;

// The order of a reader, not of the parser.
constexpr SectionKind kShownOrder[] = {SectionKind::kKafka, SectionKind::kTls, SectionKind::kSasl,
                                       SectionKind::kDory,
                                       SectionKind::kBuffer, SectionKind::kInput,
                                       SectionKind::kTopic, SectionKind::kClient, SectionKind::kHttp, SectionKind::kDiscardReport,
                                       SectionKind::kDiscardLog,
                                       SectionKind::kLog};

constexpr std::string_view kSampleHead =
    "Dory's configuration. Only [kafka] brokers is required; every other option stands here as a "
    "comment, with its default. doc/detailed_config.md says the same as tables. This file is "
    "generated: change common/option_table.cc and run `make docs`.";

constexpr std::string_view kSampleInclude =
    "Further files, relative to this one's folder and read in the order of their names. Here or in "
    "[dory].";

constexpr std::string_view kMarkdownHead =
    R"(# Configuration

<!-- Generated from common/option_table.cc by doc/generate/config_docs.cc: `make docs`. -->

One INI file; `etc/dory.conf` is a sample with every option. Only `[kafka] brokers` is required.

* A line is `[section]`, `key = value`, a comment that begins with `;` or `#`, or blank. A comment
  may also follow a value, as ` ;` with a blank before it. Indentation means nothing. A line has at
  most 199 bytes, comments and sections aside. A file is UTF-8, with line ends of either kind, and
  has at most 1M.
* `include = conf.d/*.conf`, before the first section or in `[dory]`, reads further files: relative
  to the folder of the file that says so, in the order of their names. A pattern may match nothing;
  a file must exist; files must not lead back to themselves; 1000 are the most.
* Sizes are bytes, or `64K`, `256M`, `1G` in powers of two. Durations have a unit: `500ms`, `10s`,
  `5m`, `2h`. Permission bits are octal. Brokers are `HOST:PORT`, or `[ADDRESS]:PORT` for IPv6.
* A section or an option that is unknown, stands there twice or has a value that is not allowed is
  refused, with file, line, what was read and what is allowed; all that is wrong is said at once,
  the first 50 of it. `dory --check` and `doryctl check` do so without starting.
)";

// `text` in lines of at most kColumns, each after `prefix`.
std::string Wrap(std::string_view prefix, std::string_view text) {
  std::string wrapped;
  while (!text.empty()) {
    size_t room = kColumns - prefix.size();
    size_t end = text.size() <= room ? text.size() : text.rfind(' ', room);
    wrapped.append(prefix).append(text.substr(0, end)).append("\n");
    text.remove_prefix(end == text.size() ? end : end + 1);
  }
  return wrapped;
}

// The section's line in the sample: one that changes nothing.
std::string FormatSampleSection(const SectionRow& section) {
  if (section.kind == SectionKind::kTopic) return "[topic:*]";
  if (section.kind == SectionKind::kInput) return "[input:datagram]";
  if (section.kind == SectionKind::kClient) return "[client:*]";
  return std::string(section.shown);
}

std::string FormatSample() {
  std::string text = Wrap("; ", kSampleHead) + "\n" + Wrap("; ", kSampleInclude) +
                     ";include = conf.d/*.conf\n";
  for (SectionKind kind : kShownOrder) {
    const SectionRow& section = GetSection(kind);
    text += "\n" + Wrap("; ", section.doc) + FormatSampleSection(section) + "\n";
    for (const OptionRow& row : ListOptions()) {
      if (row.section != kind) continue;
      text += "\n" + Wrap("; ", row.doc) + Wrap("; ", "Allowed: " + DescribeAllowed(row));
      text += (row.flags & kRequired) != 0 ? "" : ";";
      text.append(row.key).append(" =");
      if (!row.default_text.empty()) text.append(" ").append(row.default_text);
      text += "\n";
    }
  }
  return text;
}

std::string FormatReaders(unsigned flags) {
  std::string readers;
  auto add = [&](unsigned bit, const char* name) {
    if ((flags & bit) != 0) readers += (readers.empty() ? "" : ", ") + std::string(name);
  };
  add(kSupervisor, "supervisor");
  add(kIntake, "intake");
  add(kKafkaWorker, "kafka");
  add(kDoryStatus, "status");
  return readers;
}

std::string FormatDefault(const OptionRow& row) {
  if ((row.flags & kRequired) != 0) return "required";
  return row.default_text.empty() ? "empty" : "`" + std::string(row.default_text) + "`";
}

std::string FormatMarkdown() {
  std::string text(kMarkdownHead);
  text += "\n*Read by* names the processes that an option is for; *applied* what makes a new value "
          "of it hold.\n";
  for (SectionKind kind : kShownOrder) {
    const SectionRow& section = GetSection(kind);
    text += "\n## `" + std::string(section.shown) + "`\n\n" + Wrap("", section.doc) +
            "\n| option | default | allowed | what it does | read by | applied |\n"
            "|---|---|---|---|---|---|\n";
    for (const OptionRow& row : ListOptions()) {
      if (row.section != kind) continue;
      text += "| `" + std::string(row.key) + "` | " + FormatDefault(row) + " | " +
              DescribeAllowed(row) + " | " + std::string(row.doc) + " | " +
              FormatReaders(row.flags) + " | " +
              ((row.flags & kReload) != 0 ? "by a reload" : "at a start") + " |\n";
    }
  }
  return text;
}

}  // namespace
}  // namespace dory

int main(int argc, char** argv) {
  const std::string_view what = argc == 2 ? argv[1] : "";
  if (what != "sample" && what != "markdown") {
    std::fprintf(stderr, "usage: config_docs sample | markdown\n");
    return 2;
  }
  const std::string text = what == "sample" ? dory::FormatSample() : dory::FormatMarkdown();
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
}
