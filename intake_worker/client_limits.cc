#include "intake_worker/client_limits.h"

namespace dory::intake {

void ClientLimits::Configure(const Config& config) {
  std::vector<TopicLists> lists;
  limits_.clear();
  others_ = shm::kNoIndex;
  for (const auto& [name, client] : config.clients) {
    if (name == "*") others_ = static_cast<uint32_t>(limits_.size());
    limits_.push_back(client.rate_limit);
    lists.push_back({client.allow, client.deny});
  }
  permissions_.Configure(lists);
  Add(kNoUid);
  for (auto& [uid, client] : clients_) client.section = others_;
  uint32_t section = 0;
  for (const auto& [name, client] : config.clients) {
    for (const uint32_t uid : client.uids) Add(uid).section = section;
    ++section;
  }
  last_uid_ = kNoUid;
  last_ = Look(kNoUid);
}

ClientLimits::Client ClientLimits::Look(uint32_t uid) {
  const auto found = clients_.find(uid);
  if (found != clients_.end()) return found->second;
  if (others_ == shm::kNoIndex || clients_.size() >= kMostClients) return clients_.at(kNoUid);
  Client& client = Add(uid);
  client.section = others_;
  return client;
}

ClientLimits::Client& ClientLimits::Add(uint32_t uid) {
  return clients_.try_emplace(uid, Client{.number = static_cast<uint32_t>(clients_.size())}).first->second;
}

}  // namespace dory::intake
