#include "common/config_clients.h"

#include <pwd.h>

#include "common/comma_list.h"
#include "common/credentials.h"
#include "common/units.h"

namespace dory {
namespace {

constexpr size_t kMostUsers = 16;  // of a section: as numbers they fit into a line of a dump
constexpr std::string_view kPrefix = "client:";

Result<uint32_t> ReadUid(const std::string& text) {
  const Result<int64_t> number = ParseInteger(text);
  if (number.ok() && number.value() >= 0 && number.value() < int64_t{kNoUid}) return static_cast<uint32_t>(number.value());
  return Status::Error("'" + text + "' is not a user's number; allowed: 0 to 4294967294, separated by commas");
}

Result<uint32_t> FindUser(const std::string& name) {
  const passwd* const found = ::getpwnam(name.c_str());
  if (found != nullptr) return found->pw_uid;
  return Status::Error("'" + name + "' is not a user of this host; allowed: names of users, separated by commas");
}

class Resolver {
 public:
  Resolver(ConfigText* text, Config* config) : text_(text), config_(config) {}

  // In the file's order, so that the second of two is the one that is refused.
  void ResolveAll() {
    for (const ConfigSection& section : text_->sections) {
      if (!section.name.starts_with(kPrefix)) continue;
      const auto client = config_->clients.find(section.name.substr(kPrefix.size()));
      if (client == config_->clients.end() || !resolved_.insert(section.name).second) continue;
      Resolve(section, client->first == "*", &client->second);
    }
  }

 private:
  void Resolve(const ConfigSection& section, bool is_for_others, ClientConfig* client) {
    bool names_somebody = false;
    for (const auto& [key, list] : {std::pair("uid", &client->uid), std::pair("user", &client->user)}) {
      const ConfigLine* const line = FindLine(section, key);
      if (line == nullptr || list->empty()) continue;
      names_somebody = true;
      if (is_for_others) {
        AddLineError(text_, section, *line, "it is for all that no other section names; allowed: empty");
      } else {
        AddUsers(section, *line, client);
      }
    }
    if (is_for_others || names_somebody) return;
    text_->errors.push_back(
        {section.place, ShowSection(section) + ": is for nobody; allowed: with uid or user, or as [client:*]"});
  }

  void AddUsers(const ConfigSection& section, const ConfigLine& line, ClientConfig* client) {
    for (const std::string& entry : SplitCommaList(line.value)) {
      const Result<uint32_t> uid = line.key == "uid" ? ReadUid(entry) : FindUser(entry);
      if (!uid.ok()) {
        AddLineError(text_, section, line, uid.status().message());
        continue;
      }
      const auto [owner, is_first] = owners_.emplace(uid.value(), ShowSection(section));
      if (!is_first) {
        AddLineError(text_, section, line, "user " + std::to_string(uid.value()) + " is in " + owner->second +
                                               " already; allowed: once");
        continue;
      }
      client->uids.push_back(uid.value());
      if (client->uids.size() != kMostUsers + 1) continue;
      AddLineError(text_, section, line, "more than " + std::to_string(kMostUsers) + " users; allowed: so many in a "
                                         "section");
    }
  }

  ConfigText* text_;
  Config* config_;
  std::set<std::string> resolved_;
  std::map<uint32_t, std::string> owners_;
};

}  // namespace

void ResolveClients(ConfigText* text, Config* config) { Resolver(text, config).ResolveAll(); }

ClientConfig NameByNumbers(const ClientConfig& client) {
  ClientConfig numbered = client;
  numbered.user = numbered.uid = "";
  for (const uint32_t uid : client.uids) numbered.uid += (numbered.uid.empty() ? "" : ",") + std::to_string(uid);
  return numbered;
}

}  // namespace dory
