// A part of cluster.h: which brokers are known, and their connections.
//
// Known are those that the newest metadata lists. One that it does not list stays while a partition is led by it,
// since an answer may have named it meanwhile, and until nothing is on its way there: a broker that is down is
// listed by nobody, and is known anew when it is back. What is remembered by address goes with the last broker there.

#include <algorithm>
#include <set>
#include <utility>

#include "common/clock.h"
#include "common/log.h"
#include "kafka_worker/cluster.h"

namespace dory::kafka {
namespace {

constexpr int64_t kSuspectsIdleMs = 3000;  // longer than any back-off of a partition
constexpr size_t kMostTried = 32;          // at a time, of those that metadata lists
constexpr int64_t kTriesMs = 40;           // from one turn of these to the next, at least

bool IsBusy(const BrokerConnection* connection) {
  return connection != nullptr && (connection->in_flight() > 0 || connection->held());
}

}  // namespace

BrokerConnection* Cluster::Broker(int32_t id) {
  const auto found = brokers_.find(id);
  if (found == brokers_.end()) return nullptr;
  Known& known = found->second;
  if (known.connection == nullptr) known.connection = MakeConnection(known.address, fmt::format("broker {}", id));
  known.connection->Connect(MonotonicMs());
  return known.connection.get();
}

BrokerConnection* Cluster::SuspectBroker(int32_t id) {
  const auto found = brokers_.find(id);
  if (found == brokers_.end()) return nullptr;
  Known& known = found->second;
  if (known.suspects == nullptr) {
    known.suspects = MakeConnection(known.address, fmt::format("broker {}, for suspect partitions,", id), 1);
    if (known.connection != nullptr && known.connection->held()) {
      known.suspects->Hold(known.connection->held_until_ms() - MonotonicMs());
    }
  }
  known.suspects_asked_ms = MonotonicMs();
  known.suspects->Connect(known.suspects_asked_ms);
  return known.suspects.get();
}

// The quota is the client id's, not the connection's.
void Cluster::SpareBroker(const BrokerConnection* throttled, int64_t ms) {
  for (auto& [id, known] : brokers_) {
    if (known.connection.get() == throttled && known.suspects != nullptr) known.suspects->Hold(ms);
    if (known.suspects.get() == throttled && known.connection != nullptr) known.connection->Hold(ms);
  }
}

bool Cluster::IsAnySpared() const {
  return std::any_of(brokers_.begin(), brokers_.end(), [](const auto& entry) {
    return entry.second.connection != nullptr && entry.second.connection->held();
  });
}

Refusal Cluster::RefusalOf(int32_t id, bool suspect) const {
  const auto found = brokers_.find(id);
  if (found == brokers_.end()) return {};
  const auto& connection = suspect ? found->second.suspects : found->second.connection;
  if (connection != nullptr && connection->up()) return {};  // an older session goes on
  return refusals_.Of(found->second.address);
}

Refusal Cluster::RefusalOfAll() const {
  if (!ListUp().empty()) return {};
  Refusal all = refusals_.Of(config_.brokers.front());
  for (const HostPort& address : config_.brokers) all = Join(all, refusals_.Of(address));
  for (const auto& [id, known] : brokers_) {
    if (known.listed) all = Join(all, refusals_.Of(known.address));
  }
  return all;
}

uint64_t Cluster::LastAcknowledged(int32_t id) const {
  const auto found = brokers_.find(id);
  return found == brokers_.end() ? 0 : found->second.last_acknowledged;
}

void Cluster::NoteAcknowledged(int32_t id) {
  const auto found = brokers_.find(id);
  if (found != brokers_.end()) found->second.last_acknowledged = ++acknowledged_;
}

// Nobody is up: those that are listed are tried again in turn, a cluster of thousands not at once, and the bootstrap
// list beside them.
void Cluster::Reconnect(int64_t now_ms) {
  if (now_ms < tries_not_before_ms_) return;
  tries_not_before_ms_ = now_ms + kTriesMs;
  const auto is_under_way = [](const auto& entry) {
    const auto& connection = entry.second.connection;
    return connection != nullptr && connection->state() != BrokerConnection::State::kDown;
  };
  auto tried = static_cast<size_t>(std::count_if(brokers_.begin(), brokers_.end(), is_under_way));
  auto next = brokers_.upper_bound(tried_last_);
  for (size_t left = brokers_.size(); left > 0 && tried < kMostTried; --left, ++next) {
    if (next == brokers_.end()) next = brokers_.begin();
    const auto& connection = next->second.connection;
    if (!next->second.listed || is_under_way(*next)) continue;
    if (connection != nullptr && connection->in_backoff(now_ms)) continue;
    tried_last_ = next->first;
    ++tried;
    Broker(next->first);
  }
}

void Cluster::ReconnectOrBootstrap() {
  const int64_t now = MonotonicMs();
  Reconnect(now);
  if (IsAnySpared()) return;  // the list may lead to just that one
  if (bootstrap_ != nullptr && bootstrap_->state() != BrokerConnection::State::kDown) return;
  if (bootstrap_ != nullptr && bootstrap_->in_backoff(now)) return;
  const uint32_t failures = bootstrap_ == nullptr ? 0 : bootstrap_->failures();
  const HostPort& address = config_.brokers[next_bootstrap_++ % config_.brokers.size()];
  if (bootstrap_ != nullptr) Retire(std::move(bootstrap_), "the next one is tried");
  bootstrap_ = MakeConnection(address, "bootstrap");
  bootstrap_->InheritFailures(failures);
  bootstrap_->Connect(now);
}

void Cluster::AdoptBrokers(const protocol::MetadataResponse& metadata) {
  AdoptClusterId(metadata.cluster_id);
  for (auto& [id, known] : brokers_) known.listed = false;
  for (const protocol::MetadataBroker& broker : metadata.brokers) {
    Known& known = brokers_[broker.id];
    known.listed = true;
    SetAddress(known, {std::string(broker.host), static_cast<uint16_t>(broker.port)});
  }
  if (bootstrap_ != nullptr) Retire(std::move(bootstrap_), "metadata has come");
}

void Cluster::LearnBroker(int32_t id, const HostPort& address) { SetAddress(brokers_[id], address); }

void Cluster::SetAddress(Known& known, const HostPort& address) {
  if (known.address == address) return;
  RetireBoth(known, "the broker has a new address");
  known.address = address;
  has_old_addresses_ = true;
}

// With each answer, and with each tick those that had something on its way then.
void Cluster::DropUnlisted() {
  const auto is_unlisted = [](const auto& entry) { return !entry.second.listed; };
  if (std::any_of(brokers_.begin(), brokers_.end(), is_unlisted)) {
    const std::set<int32_t> leaders = callbacks_.list_leaders();
    for (auto at = brokers_.begin(); at != brokers_.end();) {
      Known& known = at->second;
      const bool needed = known.listed || leaders.contains(at->first) || IsBusy(known.connection.get()) ||
                          IsBusy(known.suspects.get());
      if (needed) {
        ++at;
        continue;
      }
      RetireBoth(known, "metadata does not list it any more");
      at = brokers_.erase(at);
      has_old_addresses_ = true;
    }
  }
  if (std::exchange(has_old_addresses_, false)) ForgetOldAddresses();
}

// What is remembered of those that are nobody's any more.
void Cluster::ForgetOldAddresses() {
  if (refusals_.empty() && negotiations_.empty()) return;
  std::set<std::pair<std::string, uint16_t>> in_use;
  for (const HostPort& address : config_.brokers) in_use.emplace(address.host, address.port);
  for (const auto& [id, known] : brokers_) in_use.emplace(known.address.host, known.address.port);
  refusals_.KeepOnly(in_use);
  negotiations_.KeepOnly(in_use);
}

// The cluster is somewhere else: what we know of it leads to the old place, all but the bootstrap list.
void Cluster::ForgetBrokers() {
  for (auto& [id, known] : std::exchange(brokers_, {})) RetireBoth(known, "the bootstrap list is used again");
  if (bootstrap_ != nullptr) Retire(std::move(bootstrap_), "the next one is tried");
  has_old_addresses_ = true;
}

void Cluster::RetireIdleSuspects(int64_t now_ms) {
  for (auto& [id, known] : brokers_) {
    if (known.suspects == nullptr || known.suspects->in_flight() > 0) continue;
    if (now_ms - known.suspects_asked_ms > kSuspectsIdleMs) Retire(std::move(known.suspects), "nobody is suspect");
  }
}

void Cluster::RetireBoth(Known& known, const char* why) {
  for (auto* connection : {&known.connection, &known.suspects}) {
    if (*connection != nullptr) Retire(std::move(*connection), why);
  }
}

// Its callback may be the one that runs: it is closed now, and destroyed by the next tick.
void Cluster::Retire(std::unique_ptr<BrokerConnection> connection, const char* why) {
  connection->on_down = nullptr;
  callbacks_.on_room(*connection);  // who waits for room there waits for nothing
  connection->Close(Status::Error(why));
  retired_.push_back(std::move(connection));
}

}  // namespace dory::kafka
