#include "supervisor/file_facts.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace dory::supervisor {

std::optional<int64_t> ReadBirthTime(int fd) {
  struct statx facts{};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &facts) != 0) return std::nullopt;
  if ((facts.stx_mask & STATX_BTIME) == 0) return std::nullopt;
  return facts.stx_btime.tv_sec;
}

}  // namespace dory::supervisor
