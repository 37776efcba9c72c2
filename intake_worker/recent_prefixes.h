// The beginnings of messages that were refused, in a window of the report region: of each kind the last
// kRecentPrefixes distinct ones.
//
// Owner: the lane's intake, alone.
// Order: bytes and size before `seen`, which is 0 while they change.

#pragma once

#include <cstdint>

#include "common/bytes.h"
#include "shm/report.h"

namespace dory::intake {

class RecentPrefixes {
 public:
  // `most`: bytes that are kept of a message; 0: nothing is.
  void SetSize(size_t most) { most_ = most; }

  // Keeps how a message begins, in place of the one that was seen longest ago.
  void Note(shm::ReportWindow* window, shm::PrefixKind kind, ByteSpan message) const;

 private:
  size_t most_ = 0;
};

}  // namespace dory::intake
