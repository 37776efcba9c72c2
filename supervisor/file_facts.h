// What the kernel knows of an open file.

#pragma once

#include <cstdint>
#include <optional>

namespace dory::supervisor {

// Seconds since 1970; nothing where the file system does not keep it (tmpfs does since Linux 5.18).
std::optional<int64_t> ReadBirthTime(int fd);

}  // namespace dory::supervisor
