#include "intake_worker/final_drain.h"

#include <sys/socket.h>

#include <chrono>
#include <thread>

#include "common/clock.h"
#include "common/crash_point.h"
#include "common/log.h"

namespace dory::intake {
namespace {

constexpr std::chrono::milliseconds kPoll{10};

class FinalDrain {
 public:
  FinalDrain(IntakeLane& lane, int64_t room_limit_ms)
      : lane_(lane), room_until_ms_(MonotonicMs() + room_limit_ms) {}

  // Empties the slots, one way or another.
  void KeepSlots() {
    const bool behind_file = lane_.OverflowHasMessages() && !DORY_IS_MUTANT("ring beside the file");
    if (!behind_file && lane_.PublishSlots(WhenNoRoom::kCut, 0)) return;
    if (lane_.OverflowIsPossible()) {
      const Status status = lane_.MoveSlotsToOverflow();
      if (status.ok()) return;
      LogError("overflow file: {}", status.message());
    }
    if (!WaitForRoom()) RejectSlots();
  }

 private:
  // What lies in the file is older than the slots' messages: then there is nothing to wait for.
  bool WaitForRoom() {
    while (!lane_.OverflowHasMessages() && MonotonicMs() < room_until_ms_) {
      std::this_thread::sleep_for(kPoll);
      if (lane_.PublishSlots(WhenNoRoom::kCut, 0)) return true;
    }
    return false;
  }

  void RejectSlots() {
    LogError("no room is left for messages that clients have sent: they are rejected, and counted");
    const uint64_t held_back = lane_.OverflowHasMessages() ? lane_.ring_size() : 0;
    lane_.PublishSlots(WhenNoRoom::kReject, held_back);
  }

  IntakeLane& lane_;
  int64_t room_until_ms_;
};

}  // namespace

void DrainFinally(IntakeLane& lane, std::span<const InputSocket> sockets, int64_t room_limit_ms) {
  if (!DORY_IS_MUTANT("final drain without SHUT_RD")) {
    for (const InputSocket& socket : sockets) ::shutdown(socket.fd, SHUT_RD);
  }
  DORY_CRASH_POINT("drain.shutdown");
  FinalDrain drain(lane, room_limit_ms);
  drain.KeepSlots();
  for (const InputSocket& socket : sockets) {
    while (lane.ReceiveForDrain(socket.index, socket.fd) > 0) drain.KeepSlots();
    DORY_CRASH_POINT("drain.socket");
  }
}

}  // namespace dory::intake
