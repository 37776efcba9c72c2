// How the supervisor hands stream connections over to an intake, and hears which of them are closed.
//
// One SOCK_SEQPACKET socketpair an intake process, in no place of which anybody waits. A frame is a
// HandOver of control.proto with the descriptors of at most kHandOverGroup connections, or an answer. One
// group is on its way at a time: the kernel lets an unprivileged sender have no more descriptors in flight
// than it may have open, and a receiver that is out of descriptors gets the first ones alone.
//
// Order: a group is acknowledged before the receiver's callbacks see it, so `closed` never comes before
//   `taken`. "Acknowledged" means that the descriptors are in the intake's process.
// On crash: the link ends with the intake, and its successor has a new one; what the dead one had still said
//   is read to the end. The supervisor keeps a duplicate of every connection until it hears `closed`.

#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/event_loop.h"
#include "common/file_descriptor.h"

namespace dory::control {
class HandOverAnswer;
}

namespace dory {

inline constexpr size_t kHandOverGroup = 128;
inline constexpr int64_t kHandOverRetryMs = 1000;

struct HandedConnection {
  uint32_t slot = 0;
  uint64_t generation = 0;
  uint32_t input = 0;  // index in Config::inputs
  FileDescriptor fd;
};

// The intake's end.
class HandOverReceiver {
 public:
  struct Callbacks {
    std::function<void(HandedConnection)> on_connection;
    std::function<void()> on_complete;  // all that existed when this intake started have been handed over
  };

  // Takes over `fd` (set non-blocking and close-on-exec). Received descriptors are close-on-exec, and
  // non-blocking as they were accepted. A link that ended says no more: the control link ends as well.
  HandOverReceiver(EventLoop& loop, int fd, Callbacks callbacks);

  // Queued, and grouped, while the socket is full.
  void SendClosed(uint32_t slot, uint64_t generation);

  // Takes whatever was handed over and lies in the socket.
  void ReadAll();

 private:
  struct Answer {
    std::optional<uint32_t> taken;
    std::vector<std::pair<uint32_t, uint64_t>> closed;
  };

  void OnReady(int directions);
  bool Receive();
  void Take(const std::string& frame, std::vector<FileDescriptor> descriptors, bool truncated);
  void Flush();

  FileDescriptor fd_;
  Callbacks callbacks_;
  IoWatcher watcher_;
  std::deque<Answer> answers_;  // not yet taken by the kernel
};

// The supervisor's end.
class HandOverSender {
 public:
  struct Connection {
    uint32_t slot = 0;
    uint64_t generation = 0;
    uint32_t input = 0;
    int fd = -1;  // stays the caller's; open until it was acknowledged
  };
  struct Callbacks {
    std::function<void(uint32_t slot, uint64_t generation)> on_closed;
    std::function<void()> on_idle;  // all that was added is acknowledged
  };

  HandOverSender(EventLoop& loop, FileDescriptor fd, Callbacks callbacks, int64_t retry_ms = kHandOverRetryMs);

  void Add(const Connection& connection);

  // `complete` goes with or behind all that was added before.
  void AddComplete();

  // Nothing is left to be sent or acknowledged.
  bool idle() const { return queue_.empty() && !complete_queued_ && !awaits_answer_; }

  // The intake has not had descriptors enough for the last group; it is tried again.
  bool is_short() const { return short_; }

  // What the intake has said and nobody has read yet: for one that has died.
  void ReadToEnd();

 private:
  bool ReadSome();
  void SendSome();
  bool SendGroup(size_t size, bool complete);
  void OnAnswer(const control::HandOverAnswer& answer);
  void OnTaken(size_t taken);

  FileDescriptor fd_;
  Callbacks callbacks_;
  IoWatcher watcher_;
  Timer retry_;
  const int64_t retry_ms_;
  std::deque<Connection> queue_;   // the first sent_ of them are on their way
  size_t sent_ = 0;
  bool complete_queued_ = false;
  bool complete_sent_ = false;     // with the group on its way
  bool awaits_answer_ = false;
  bool short_ = false;
  bool ended_ = false;
};

}  // namespace dory
