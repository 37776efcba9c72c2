// How to find out what a broker speaks, and what was found out by the connections before.
//
// From 0.10 on brokers answer ApiVersions. Kafka 0.8 closes the connection without a word, and so does
// whatever stands before a broker that is being restarted; 0.9 never answers, and nor does one that stands
// still. Only a broker that has just answered something else on the same connection (ListOffsets, of
// nothing) is taken for that old. It is asked again with every connection, since it may have been upgraded.
//
//     kAsk --refused--> kProbe --refused, having answered ListOffsets--> kOldest --its end--> kProbe
//                         |------------refused without an answer-------> kAsk
//     an answer to ApiVersions leads to kAsk from anywhere

#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "common/units.h"

namespace dory::kafka {

enum class Negotiation : uint8_t {
  kAsk,     // ApiVersions
  kProbe,   // ListOffsets, then ApiVersions
  kOldest,  // nothing is asked: it speaks what Kafka 0.8 does
};

// Owner: Cluster. By address, whoever connects.
class NegotiationMemory {
 public:
  // For the next connection to that address.
  Negotiation Choose(const HostPort& address) const {
    const auto found = next_.find({address.host, address.port});
    return found == next_.end() ? Negotiation::kAsk : found->second;
  }

  void NoteAnswered(const HostPort& address) { next_.erase({address.host, address.port}); }

  // ApiVersions got no answer: the other end closed the connection, or was silent for too long.
  void NoteRefused(const HostPort& address, Negotiation how, bool answered_probe) {
    const Negotiation after_probe = answered_probe ? Negotiation::kOldest : Negotiation::kAsk;
    Set(address, how == Negotiation::kProbe ? after_probe : Negotiation::kProbe);
  }

  // A connection that asked nothing is over.
  void NoteEnd(const HostPort& address) { Set(address, Negotiation::kProbe); }

  bool empty() const { return next_.empty(); }

  // Forgets all others.
  void KeepOnly(const std::set<std::pair<std::string, uint16_t>>& addresses) {
    std::erase_if(next_, [&](const auto& entry) { return !addresses.contains(entry.first); });
  }

 private:
  void Set(const HostPort& address, Negotiation next) { next_[{address.host, address.port}] = next; }

  std::map<std::pair<std::string, uint16_t>, Negotiation> next_;
};

}  // namespace dory::kafka
