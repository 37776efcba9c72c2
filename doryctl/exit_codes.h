// The exit codes of doryctl: an interface, documented in --help.

#pragma once

namespace dory::doryctl {

inline constexpr int kDone = 0;
inline constexpr int kError = 1;
inline constexpr int kUsage = 2;
inline constexpr int kNotRunning = 3;
inline constexpr int kMessagesLeft = 4;

}  // namespace dory::doryctl
