// Accepts stream connections and deals them to the lanes, in turn.
//
// Accepting stops, and connections wait in the backlogs, while no lane has a slot, while inputs are held
// (doryctl drain), and while descriptors or the system's memory run short: then it looks again after a second. A few descriptors
// are never used for connections, so that workers can be started again and doryctl is answered.
// Order: at a stop TakeBacklog comes before the intakes' final drain: a connection that the kernel has
//   completed holds messages that it has taken.
// Errors: a state that stops accepting is a line in the log, and a warning in the status until it is over.

#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/event_loop.h"
#include "supervisor/input_socket.h"
#include "supervisor/stream_lane.h"
#include "supervisor/warning.h"

namespace dory::supervisor {

class Acceptor {
 public:
  struct Count {
    uint64_t accepted = 0;
    uint64_t open = 0;
  };

  // `sockets` are the listening ones among the instance's. Nothing is accepted before Start.
  Acceptor(EventLoop& loop, const Config& config, std::vector<std::unique_ptr<StreamLane>>& lanes);

  void Start(const std::vector<InputSocket>& sockets);

  // Whether to leave connections in the backlogs from now on.
  void Hold(bool held);

  // Nobody can connect from now on; what has connected is accepted, also while held. With TCP a handshake that
  // has begun has kHandshakeMs to end.
  void TakeBacklog();
  bool IsBacklogTaken() const;

  // A lane has closed a connection of this input.
  void OnClosed(uint32_t input);

  std::vector<Warning> ListWarnings() const;
  const Count& CountOf(size_t input) const { return counts_[input]; }

 private:
  enum class Outcome { kAccepted, kTryAgain, kEmpty, kNoSlot, kShort };

  struct Listener {
    InputSocket const* socket;
    std::unique_ptr<IoWatcher> watcher;
    bool is_done = false;  // its backlog is taken
  };

  void AcceptSome(Listener& listener);
  Outcome AcceptOne(const Listener& listener);
  StreamLane* ChooseLane();
  bool HasSpareDescriptor() const;
  bool IsSpare(int fd) const;
  void SetFull(bool full);
  void SetShort(bool is_short);
  static void Say(const Warning& warning, int64_t* said_ms);
  void Retry();
  void UpdateWatch();

  std::vector<std::unique_ptr<StreamLane>>& lanes_;
  EventLoop& loop_;
  Timer retry_;
  Timer handshakes_;  // of TCP that may still be under way, behind the last that could begin
  std::vector<Listener> listeners_;
  std::vector<Count> counts_;  // by input
  rlim_t limit_ = 0;
  size_t slots_ = 0;
  size_t next_lane_ = 0;
  bool held_ = false;
  bool ending_ = false;
  bool full_ = false;
  bool short_ = false;      // of descriptors, or of memory
  bool no_memory_ = false;  // which of them
  int64_t full_said_ms_ = 0;  // 0: never
  int64_t short_said_ms_ = 0;
};

}  // namespace dory::supervisor
