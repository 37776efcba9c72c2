// Since when brokers refuse us: each attempt to connect ends with a definite word about TLS or SASL, theirs that
// they do not want us, or ours that they are not whom we want. Pure decisions, and a memory of them by address.
//
// An attempt that ends without such a word says nothing: from then to the next word no time is counted.

#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "common/units.h"

namespace dory::kafka {

// CLOCK_MONOTONIC. Made of zeros: nobody refuses us.
struct Refusal {
  int64_t since_ms = 0;    // later by as much time as is not counted
  int64_t last_ms = 0;     // the newest such word
  int64_t silent_ms = 0;   // when an attempt ended without one; 0: the newest attempt had one

  bool Stands() const { return since_ms > 0 && silent_ms == 0; }
  bool operator==(const Refusal&) const = default;
};

constexpr Refusal NoteRefused(Refusal before, int64_t now_ms) {
  const int64_t uncounted_ms = before.silent_ms > 0 ? now_ms - before.silent_ms : 0;
  return {before.since_ms > 0 ? before.since_ms + uncounted_ms : now_ms, now_ms, 0};
}

constexpr Refusal NoteSilent(Refusal before, int64_t now_ms) {
  if (before.since_ms > 0 && before.silent_ms == 0) before.silent_ms = now_ms;
  return before;
}

// Both do.
inline Refusal Join(const Refusal& one, const Refusal& other) {
  if (!one.Stands() || !other.Stands()) return {};
  return {std::max(one.since_ms, other.since_ms), std::min(one.last_ms, other.last_ms), 0};
}

// Whether what has waited so long is discarded: all the time it would have been refused, and while it waits it was.
inline bool IsRefusedTooLong(const Refusal& refusal, int64_t waited_ms, int64_t deadline_ms, int64_t now_ms) {
  return deadline_ms > 0 && refusal.Stands() && now_ms - refusal.since_ms >= deadline_ms && waited_ms >= deadline_ms &&
         now_ms - refusal.last_ms <= waited_ms;
}

// Owner: Cluster. By address, whoever connects.
class RefusalMemory {
 public:
  Refusal Of(const HostPort& address) const {
    const auto found = known_.find({address.host, address.port});
    return found == known_.end() ? Refusal{} : found->second.refusal;
  }
  // The newest word; empty where it does not stand.
  std::string WhyOf(const HostPort& address) const {
    const auto found = known_.find({address.host, address.port});
    return found == known_.end() || !found->second.refusal.Stands() ? "" : found->second.why;
  }
  bool empty() const { return known_.empty(); }

  void NoteAccepted(const HostPort& address) { known_.erase({address.host, address.port}); }

  // An attempt has ended.
  void NoteEnd(const HostPort& address, bool refused, const std::string& why, int64_t now_ms) {
    if (refused) {
      Known& known = known_[{address.host, address.port}];
      known = {NoteRefused(known.refusal, now_ms), why};
    } else if (const auto found = known_.find({address.host, address.port}); found != known_.end()) {
      found->second.refusal = NoteSilent(found->second.refusal, now_ms);
    }
  }

  // Forgets all others.
  void KeepOnly(const std::set<std::pair<std::string, uint16_t>>& addresses) {
    std::erase_if(known_, [&](const auto& entry) { return !addresses.contains(entry.first); });
  }

 private:
  struct Known {
    Refusal refusal;
    std::string why;
  };

  std::map<std::pair<std::string, uint16_t>, Known> known_;
};

}  // namespace dory::kafka
