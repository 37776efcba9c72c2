#include "supervisor/process_facts.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace dory::supervisor {
namespace {

// Fields of proc(5) are counted from 1; these are counted from the one behind the command's ')', 3.
constexpr size_t kUserTime = 14 - 3;
constexpr size_t kSystemTime = 15 - 3;
constexpr size_t kStartTime = 22 - 3;
constexpr size_t kResidentPages = 24 - 3;

}  // namespace

std::optional<ProcessFacts> ParseProcessStat(std::string_view text) {
  const size_t command_end = text.rfind(')');  // a command may hold anything, also ')'
  if (command_end == std::string_view::npos) return std::nullopt;
  std::istringstream rest{std::string(text.substr(command_end + 1))};
  const std::vector<std::string> fields(std::istream_iterator<std::string>(rest), {});
  if (fields.size() <= kResidentPages) return std::nullopt;
  const auto number = [&](size_t field) { return std::strtoull(fields[field].c_str(), nullptr, 10); };
  ProcessFacts facts;
  facts.start_time = number(kStartTime);
  facts.cpu_s = static_cast<double>(number(kUserTime) + number(kSystemTime)) /
                static_cast<double>(::sysconf(_SC_CLK_TCK));
  facts.rss_bytes = number(kResidentPages) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return facts;
}

std::optional<ProcessFacts> ReadProcessFacts(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  if (!file) return std::nullopt;
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return ParseProcessStat(text);
}

}  // namespace dory::supervisor
