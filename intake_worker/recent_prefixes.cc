#include "intake_worker/recent_prefixes.h"

#include <algorithm>

#include "common/crash_point.h"
#include "shm/store.h"

namespace dory::intake {

using shm::ReportPrefix;
using shm::Store;

void RecentPrefixes::Note(shm::ReportWindow* window, shm::PrefixKind kind, ByteSpan message) const {
  if (most_ == 0) return;
  const ByteSpan bytes = message.first(std::min(message.size(), most_));
  ReportPrefix* oldest = nullptr;
  uint64_t newest = 0;
  ReportPrefix* same = nullptr;
  for (ReportPrefix& prefix : window->prefixes[static_cast<size_t>(kind)]) {
    newest = std::max(newest, prefix.seen);
    if (oldest == nullptr || prefix.seen < oldest->seen) oldest = &prefix;
    const bool is_same = prefix.seen != 0 && prefix.size == bytes.size() &&
                         std::equal(bytes.begin(), bytes.end(), prefix.bytes);
    if (is_same) same = &prefix;
  }
  if (same == nullptr) {
    if (DORY_IS_MUTANT("prefix seen before its bytes")) {
      Store(oldest->seen, newest + 1);
    } else {
      Store(oldest->seen, 0);
    }
    DORY_CRASH_POINT("R.prefix_unseen");
    shm::Copy(oldest->bytes, bytes.data(), bytes.size());
    Store(oldest->size, bytes.size());
    DORY_CRASH_POINT("R.prefix_bytes");
    same = oldest;
  }
  Store(same->seen, newest + 1);
  DORY_CRASH_POINT("R.prefix");
}

}  // namespace dory::intake
