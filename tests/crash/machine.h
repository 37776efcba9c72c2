// The machine that a life sees: a clock that goes on only while its loop waits, no chance, and brokers
// that are a socketpair away.
//
// The program defines clock_gettime, epoll_wait, connect, sendmsg and std::random_device's source, so
// that they come before those of the libraries; everything else of a life is the real thing. Thus nothing
// sleeps, deadlines of minutes pass at once, and a trial is the same each time it is run.
//
// Owner: a process has one Machine at most; without one, all is as the system has it.

#pragma once

#include <cstdint>

namespace dory::crash {

class Machine {
 public:
  virtual ~Machine() = default;

  // Nanoseconds of every clock. It lies where a life's successor finds it.
  virtual int64_t& NowNs() = 0;

  // The other end of a new connection to that port; -1: it is refused.
  virtual int Connect(uint16_t port) = 0;

  // The kernel has taken bytes for a broker.
  virtual void OnWritten() = 0;

  // Before the loop waits: what the world has to do is done, so that it may be seen by it.
  virtual void OnWait() = 0;

  // Nothing is ready, and time goes on. `wait_ms` < 0: for ever.
  virtual void OnIdle(int wait_ms) = 0;
};

// From now on; null: no more.
void SetMachine(Machine* machine);

}  // namespace dory::crash
