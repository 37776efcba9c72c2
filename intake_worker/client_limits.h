// What the sections [client:NAME] allow a client, by the user that it runs as.
//
// A user's section is found once, and kept; neighbours are often of one user. Where there are no sections
// nothing is asked at all.
//
// Private: after a restart of the worker the windows of rates begin anew.

#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/config.h"
#include "common/credentials.h"
#include "intake_worker/permissions.h"
#include "intake_worker/rate_limit.h"
#include "shm/layout.h"

namespace dory::intake {

class ClientLimits {
 public:
  void Configure(const Config& config);

  bool AreAny() const { return !limits_.empty(); }

  // ---- REQUIRES: AreAny(). `uid`: kNoUid where it is not known.

  bool Allow(uint32_t uid, uint32_t row, std::string_view topic) {
    const Client client = Find(uid);
    return !permissions_.AreAny() || permissions_.Allow(client.section, row, topic);
  }

  bool IsWithinRate(uint32_t uid, int64_t now_ns) {
    const Client client = Find(uid);
    return rates_.Allows(client.number, LimitOf(client), now_ns);
  }

  // That a message of that user is in the ring. REQUIRES: IsWithinRate said yes.
  void NoteWritten(uint32_t uid) {
    const Client client = Find(uid);
    rates_.Count(client.number, LimitOf(client));
  }

 private:
  // Users that no section names, and that have a window of their own; what comes then shares one.
  static constexpr size_t kMostClients = 65'536;

  struct Client {
    uint32_t section = shm::kNoIndex;  // none
    uint32_t number = 0;               // of its windows
  };

  Client Find(uint32_t uid) {
    if (uid != last_uid_) {
      last_ = Look(uid);
      last_uid_ = uid;
    }
    return last_;
  }
  Client Look(uint32_t uid);
  Client& Add(uint32_t uid);
  Rate LimitOf(Client client) const { return client.section == shm::kNoIndex ? Rate{} : limits_[client.section]; }

  std::vector<Rate> limits_;              // by section
  uint32_t others_ = shm::kNoIndex;       // [client:*]
  std::unordered_map<uint32_t, Client> clients_;  // by uid; kNoUid among them
  uint32_t last_uid_ = kNoUid;
  Client last_;
  Permissions permissions_;  // by section
  RateLimiter rates_;        // by a client's number
};

}  // namespace dory::intake
