#include "intake_worker/final_drain.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "common/crash_point.h"
#include "common/log.h"

namespace dory::intake {
namespace {

constexpr std::chrono::milliseconds kPoll{10};

class FinalDrain {
 public:
  FinalDrain(IntakeLane& lane, DrainLimits limits)
      : lane_(lane), limits_(limits), room_until_ms_(MonotonicMs() + limits.room_ms) {}

  void DrainDatagrams(const InputSocket& socket) {
    while (lane_.ReceiveForDrain(socket.index, socket.fd) > 0) KeepSlots();
  }

  // Empties the slots, one way or another.
  void KeepSlots() {
    Keep([this](WhenNoRoom when, uint64_t held_back) { return lane_.PublishSlots(when, held_back); },
         [this] { return lane_.MoveSlotsToOverflow(); });
  }

  // Those that hold areas first: others may have to wait for one.
  void DrainStreams(std::vector<StreamSocket> streams) {
    std::stable_partition(streams.begin(), streams.end(),
                          [this](const StreamSocket& s) { return lane_.streams().HasPart(s.slot); });
    const int64_t linger_until_ms = MonotonicMs() + limits_.tcp_linger_ms;
    while (!streams.empty()) {
      std::erase_if(streams, [this](const StreamSocket& stream) { return IsDrained(stream); });
      const int64_t left_ms = std::max<int64_t>(0, linger_until_ms - MonotonicMs());
      if (left_ms == 0) std::erase_if(streams, [this](const StreamSocket& s) { return s.is_tcp && End(s.slot); });
      if (!streams.empty()) WaitForOneOf(streams, left_ms);
    }
  }

  // Whole messages of a connection.
  void KeepStream(uint32_t slot) {
    for (Burst burst = lane_.streams().NextBurst(slot); !burst.messages.empty();
         burst = lane_.streams().NextBurst(slot)) {
      KeepBurst(burst);
    }
    lane_.streams().GiveBackArea(slot);
  }

 private:
  // What lies in the file is older than anything that is still to be kept.
  bool IsBehindFile() const {
    return lane_.OverflowHasMessages() && !DORY_IS_MUTANT("ring beside the file");
  }

  // True: nothing of it will come any more. A UNIX socket that was shut down says so once it is empty.
  bool IsDrained(const StreamSocket& stream) {
    Outcome outcome = Outcome::kMore;
    while (outcome == Outcome::kMore) {
      outcome = lane_.streams().ReadOnly(stream.slot, stream.fd).outcome;
      KeepStream(stream.slot);
    }
    return lane_.streams().HasEnded(stream.slot) || (outcome == Outcome::kEnd && End(stream.slot));
  }

  bool End(uint32_t slot) {
    lane_.streams().End(slot);
    DORY_CRASH_POINT("drain.stream");
    return true;
  }

  static void WaitForOneOf(const std::vector<StreamSocket>& streams, int64_t at_most_ms) {
    std::vector<pollfd> polled;
    for (const StreamSocket& stream : streams) polled.push_back({stream.fd, POLLIN, 0});
    ::poll(polled.data(), polled.size(), static_cast<int>(at_most_ms));
  }

  void KeepBurst(Burst burst) {
    if (burst.messages.front().fault) {  // takes no room
      lane_.PublishBurst(burst, WhenNoRoom::kReject, 0);
      return;
    }
    if (burst.messages.back().fault) burst.messages = burst.messages.first(burst.messages.size() - 1);
    burst.messages = burst.messages.first(std::min<size_t>(burst.messages.size(), shm::kSlotCount));
    Keep([&](WhenNoRoom when, uint64_t held_back) { return lane_.PublishBurst(burst, when, held_back) > 0; },
         [&] { return lane_.MoveToOverflow(burst); });
  }

  // Into the ring; else into the file; else, where there is none, room is waited for; else they are rejected.
  template <typename Publish, typename MoveToFile>
  void Keep(Publish publish, MoveToFile move_to_file) {
    if (!IsBehindFile() && publish(WhenNoRoom::kCut, 0)) return;
    if (lane_.OverflowIsPossible()) {
      const Status status = move_to_file();
      if (status.ok()) return;
      LogError("overflow file: {}", status.message());
    }
    if (WaitForRoom([&] { return publish(WhenNoRoom::kCut, 0); })) return;
    LogError("no room is left for messages that clients have sent: they are rejected, and counted");
    publish(WhenNoRoom::kReject, lane_.OverflowHasMessages() ? lane_.ring_size() : 0);
  }

  // What lies in the file is older than these messages: then there is nothing to wait for.
  template <typename TryAgain>
  bool WaitForRoom(TryAgain try_again) {
    while (!lane_.OverflowHasMessages() && MonotonicMs() < room_until_ms_) {
      std::this_thread::sleep_for(kPoll);
      if (try_again()) return true;
    }
    return false;
  }

  IntakeLane& lane_;
  DrainLimits limits_;
  int64_t room_until_ms_;
};

}  // namespace

void DrainFinally(IntakeLane& lane, std::span<const InputSocket> sockets, const ListStreams& list_streams,
                  DrainLimits limits) {
  if (!DORY_IS_MUTANT("final drain without SHUT_RD")) {
    for (const InputSocket& socket : sockets) ::shutdown(socket.fd, SHUT_RD);
  }
  DORY_CRASH_POINT("drain.shutdown");
  lane.receipts().Close();
  FinalDrain drain(lane, limits);
  drain.KeepSlots();
  for (uint32_t slot = 0; slot < lane.streams().size(); ++slot) drain.KeepStream(slot);
  const std::vector<StreamSocket> streams = list_streams();
  for (const StreamSocket& stream : streams) ::shutdown(stream.fd, stream.is_tcp ? SHUT_WR : SHUT_RD);
  DORY_CRASH_POINT("drain.streams_shutdown");
  for (const InputSocket& socket : sockets) {
    drain.DrainDatagrams(socket);
    DORY_CRASH_POINT("drain.socket");
  }
  drain.DrainStreams(streams);
}

}  // namespace dory::intake
