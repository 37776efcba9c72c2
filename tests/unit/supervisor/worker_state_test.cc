#include "supervisor/worker_state.h"

#include <gtest/gtest.h>

#include <vector>

namespace dory::supervisor {
namespace {

using State = WorkerState;
using Event = WorkerEvent;
using Action = WorkerAction;

std::vector<State> AllStates() {
  std::vector<State> all;
  for (size_t i = 0; i < kWorkerStates; ++i) all.push_back(static_cast<State>(i));
  return all;
}

std::vector<Event> AllEvents() {
  std::vector<Event> all;
  for (size_t i = 0; i < kWorkerEvents; ++i) all.push_back(static_cast<Event>(i));
  return all;
}

bool IsEnd(Event event) {
  return event == Event::kFinished || event == Event::kDied || event == Event::kUnusable;
}

// What must hold in every cell, said without the table.
class EveryCell : public ::testing::TestWithParam<std::tuple<State, Event>> {
 protected:
  State state_ = std::get<0>(GetParam());
  Event event_ = std::get<1>(GetParam());
  Decision decision_ = Decide(state_, event_);
};

TEST_P(EveryCell, HasAName) {
  EXPECT_FALSE(NameOf(state_).empty());
  EXPECT_FALSE(NameOf(event_).empty());
}

TEST_P(EveryCell, SpawnsExactlyWhereAProcessBegins) {
  const bool begins = !HasProcess(state_) && HasProcess(decision_.next);
  EXPECT_EQ(decision_.action == Action::kSpawn, begins);
  if (begins) {
    EXPECT_EQ(decision_.next, State::kStarting);
  }
}

TEST_P(EveryCell, LeavesAProcessOnlyByItsEnd) {
  if (HasProcess(state_)) {
    EXPECT_EQ(!HasProcess(decision_.next), IsEnd(event_));
  }
}

TEST_P(EveryCell, SignalsOnlyAProcess) {
  const bool signals = decision_.action == Action::kKill || decision_.action == Action::kAbort ||
                       decision_.action == Action::kCloseLink || decision_.action == Action::kAskToLeave;
  if (signals) {
    EXPECT_TRUE(HasProcess(state_));
  }
}

TEST_P(EveryCell, IsUpOnlyAfterReady) {
  if (decision_.next == State::kUp && state_ != State::kUp) {
    EXPECT_EQ(event_, Event::kReady);
    EXPECT_EQ(decision_.action, Action::kMarkUp);
  }
}

TEST_P(EveryCell, SchedulesARestartWheneverItBacksOff) {
  const bool backs_off = decision_.next == State::kBackoff && state_ != State::kBackoff;
  EXPECT_EQ(decision_.action == Action::kScheduleRestart, backs_off);
}

TEST_P(EveryCell, AnAskedStopEndsAtOnceOrAfterTheLinkIsClosed) {
  if (event_ != Event::kStopAsked) return;
  if (state_ == State::kRestarting) return;  // the successor is asked
  EXPECT_EQ(decision_.next, HasProcess(state_) ? State::kStopping : State::kStopped);
  if (state_ == State::kStarting || state_ == State::kUp) {
    EXPECT_EQ(decision_.action, Action::kCloseLink);
  }
}

TEST_P(EveryCell, ParkedEndsWhenSomebodySaysSo) {
  if (state_ != State::kParked) return;
  const bool said = event_ == Event::kReload || event_ == Event::kRestartAsked || event_ == Event::kStopAsked;
  EXPECT_EQ(decision_.next != State::kParked, said);
}

TEST_P(EveryCell, StoppedStays) {
  if (state_ == State::kStopped) {
    EXPECT_EQ(decision_, (Decision{State::kStopped, Action::kNone}));
  }
}

INSTANTIATE_TEST_SUITE_P(WorkerState, EveryCell,
                         ::testing::Combine(::testing::ValuesIn(AllStates()), ::testing::ValuesIn(AllEvents())));

State Walk(std::initializer_list<Event> events) {
  State state = State::kDown;
  for (const Event event : events) state = Decide(state, event).next;
  return state;
}

TEST(WorkerStateTest, Lives) {
  EXPECT_EQ(Walk({Event::kStart, Event::kReady}), State::kUp);
  EXPECT_EQ(Walk({Event::kStart, Event::kReady, Event::kDied}), State::kBackoff);
  EXPECT_EQ(Walk({Event::kStart, Event::kReady, Event::kDied, Event::kTimer, Event::kReady}), State::kUp);
  EXPECT_EQ(Walk({Event::kStart, Event::kUnusable}), State::kParked);
  EXPECT_EQ(Walk({Event::kStart, Event::kReady, Event::kStopAsked, Event::kFinished}), State::kStopped);
}

TEST(WorkerStateTest, ARestartIsFollowedByASuccessorWhateverItsEnd) {
  for (const Event end : {Event::kFinished, Event::kDied}) {
    EXPECT_EQ(Walk({Event::kStart, Event::kReady, Event::kRestartAsked, end, Event::kTimer, Event::kReady}), State::kUp);
  }
  EXPECT_EQ(Decide(State::kRestarting, Event::kTimer).action, Action::kKill);
}

TEST(WorkerStateTest, AStopWaitsForTheSuccessorOfOneThatRestarts) {
  EXPECT_EQ(Walk({Event::kStart, Event::kReady, Event::kRestartAsked, Event::kStopAsked}), State::kRestarting);
}

TEST(WorkerStateTest, ADeathInTheFinalDrainIsFollowedByASuccessor) {
  EXPECT_EQ(Walk({Event::kStart, Event::kReady, Event::kStopAsked, Event::kDied, Event::kTimer, Event::kReady}),
            State::kUp);
}

TEST(WorkerStateTest, NoReadyInTimeIsADeath) {
  EXPECT_EQ(Decide(State::kStarting, Event::kTimer).action, Action::kKill);
}

TEST(WorkerStateTest, ALostHeartbeatAbortsThenKills) {
  EXPECT_EQ(Decide(State::kUp, Event::kHeartbeatLost), (Decision{State::kUp, Action::kAbort}));
  EXPECT_EQ(Decide(State::kUp, Event::kTimer), (Decision{State::kUp, Action::kKill}));
}

}  // namespace
}  // namespace dory::supervisor
