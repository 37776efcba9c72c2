// A child that is single-stepped where it says so: one machine instruction, or one system call, at a time.
//
// The child runs free until BeginSteps, is stepped until EndSteps, and runs free within an Unstepped: a step
// costs some 100 µs, and what belongs to the test need not be proven.
//
// Owner: the switch lies in memory that the child shares with its parent, who traces it.
// Order: Trace in the child, before all else; TraceSteps in its parent.

#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>

namespace dory::crash {

class StepSwitch {
 public:
  StepSwitch();
  ~StepSwitch();
  StepSwitch(const StepSwitch&) = delete;
  StepSwitch& operator=(const StepSwitch&) = delete;

  // ---- in the child

  static void Trace();
  void BeginSteps(uint32_t part);
  void EndSteps() { shared_->on = false; }

  // ---- in both

  bool is_on() const { return shared_->on; }
  // Steps are to go on where they were interrupted; else they begin.
  bool is_resumed() const { return shared_->resumed; }
  uint32_t part() const { return shared_->part; }

 private:
  friend class Unstepped;
  struct Shared {
    std::atomic<bool> on;
    std::atomic<bool> resumed;
    std::atomic<uint32_t> part;  // of the child's work, as BeginSteps said
  };

  void Resume();

  Shared* shared_;
};

// While it lives the child is not stepped.
class Unstepped {
 public:
  explicit Unstepped(StepSwitch& steps) : steps_(steps), was_on_(steps.is_on()) {
    if (was_on_) steps_.EndSteps();
  }
  ~Unstepped() {
    if (was_on_) steps_.Resume();
  }
  Unstepped(const Unstepped&) = delete;
  Unstepped& operator=(const Unstepped&) = delete;

 private:
  StepSwitch& steps_;
  bool was_on_;
};

// What is told of a stepped child, which stands still meanwhile. Each returns what is wrong; empty: nothing.
class StepListener {
 public:
  virtual ~StepListener() = default;
  virtual std::string OnBegin(uint32_t part) = 0;
  virtual std::string OnResume() = 0;
  virtual std::string OnStep() = 0;
};

// Until the child's end. What is wrong, also with that end; empty: nothing.
std::string TraceSteps(pid_t child, const StepSwitch& steps, StepListener* listener);

}  // namespace dory::crash
