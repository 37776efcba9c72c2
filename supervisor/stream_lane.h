// The stream connections of one lane: a duplicate of each, by slot, and the link over which its intake gets them.
//
// Order: a connection has its slot and its duplicate here before an intake sees it, so an intake that dies
//   takes none with it. A new intake's link is made after its predecessor was reaped; it gets all
//   connections that there are once it is READY.
// On crash: of an intake, its successor is handed everything again. Of the supervisor, connections end.
//
// A generation never repeats, also not over a restart of the supervisor with the same segment: its upper bits
// are the generation of the first intake that this supervisor starts, which stands in the segment and grows with
// each intake, before that one gets any connection.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "common/event_loop.h"
#include "common/file_descriptor.h"
#include "common/hand_over.h"
#include "common/status.h"

namespace dory::supervisor {

class StreamLane {
 public:
  // `on_closed` hears of each connection's input; `last_intake` is the generation of the lane's last intake.
  StreamLane(EventLoop& loop, uint32_t slots, uint64_t last_intake, std::function<void(uint32_t input)> on_closed);

  bool HasRoom() const { return !free_.empty(); }
  size_t open() const { return connections_.size() - free_.size(); }

  // REQUIRES: HasRoom(); `fd` is non-blocking and close-on-exec.
  void Add(FileDescriptor fd, uint32_t input);

  // The end of a new link that an intake is to inherit. REQUIRES: its predecessor has been reaped.
  Result<FileDescriptor> OpenLink();

  // The intake is READY. Nothing happens where it was said before.
  void HandOverAll();

  // The intake has been reaped.
  void CloseLink();

  // The intake has no descriptors for some of them.
  bool IsShort() const { return link_ && link_->is_short(); }

  // The intake has all connections that there are.
  bool IsHandedOver() const;

 private:
  struct Connection {
    FileDescriptor fd;
    uint64_t generation = 0;
    uint32_t input = 0;
  };

  void HandOver(uint32_t slot);
  void OnClosed(uint32_t slot, uint64_t generation);

  EventLoop& loop_;
  std::function<void(uint32_t input)> on_closed_;
  std::vector<Connection> connections_;  // by slot
  std::vector<uint32_t> free_;           // slots; the last one is given next
  uint64_t next_generation_;
  std::optional<HandOverSender> link_;
  bool hands_over_ = false;  // the intake is READY
};

}  // namespace dory::supervisor
