// The supervisor's orderly stop: stop_sequence.h decides what comes next, this does it.

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "common/clock.h"
#include "common/log.h"
#include "common/paths.h"
#include "supervisor/supervisor.h"

namespace dory::supervisor {
namespace {

constexpr int64_t kStopPollMs = 50;

}  // namespace

void Supervisor::OnStopSignal() {
  if (!stop_asked_) return BeginStop("signal");
  const uint64_t left = CountBuffered();
  LogWarning("asked to stop a second time: ends at once, {} messages are in the buffer", left);
  RemoveFiles(instance_);
  std::_Exit(left == 0 ? kExitDone : kExitMessagesLeft);
}

void Supervisor::BeginStop(const std::string& why) {
  if (stop_asked_) return;
  LogInfo("stops ({}): takes what the input sockets hold, then has {} ms to deliver {} messages", why,
          instance_.config.stop_timeout_ms, CountBuffered());
  stop_asked_ = true;
  stop_began_ms_ = MonotonicMs();
  stop_poll_.StartOnce(0);
}

void Supervisor::AdvanceStop() {
  StopPhase next = NextPhase(phase_, LookForStop());
  while (next != phase_) {
    phase_ = next;
    EnterPhase(phase_);
    next = NextPhase(phase_, LookForStop());
  }
  if (phase_ == StopPhase::kDone) return loop_.Stop();
  // Workers that came up meanwhile are asked again.
  if (phase_ == StopPhase::kDraining || drain_failed_) AskToStop(shm::Role::kIntake);
  if (phase_ == StopPhase::kEnding) {
    AskToStop(shm::Role::kKafka);
    AskToStop(std::nullopt);
  }
  stop_poll_.StartOnce(kStopPollMs);
}

void Supervisor::EnterPhase(StopPhase phase) {
  if (phase == StopPhase::kAccepting) {
    socket_files_.Stop();
    acceptor_.TakeBacklog();
  }
  if (phase == StopPhase::kDraining && !LookForStop().handed_over) {
    LogError("stream connections could not be handed over to an intake: messages in them are lost");
    hand_over_failed_ = true;
  }
  if (phase == StopPhase::kDelivering) {
    const bool drained = AllInState(shm::Role::kIntake, {WorkerState::kStopped});
    if (!drained) LogError("an intake did not complete its final drain: messages in its sockets are lost");
    drain_failed_ = !drained || hand_over_failed_;
    for (const auto& worker : workers_) {
      if (worker->role() == shm::Role::kIntake) worker->KillNow();
    }
  }
  if (phase != StopPhase::kDelivering && phase != StopPhase::kDraining) return;
  host_.draining = true;  // and who is born from now on
  control::ToWorker message;
  message.set_drain(true);
  for (const auto& worker : workers_) {
    if (worker->role() == shm::Role::kKafka) worker->Send(message);
  }
}

StopFacts Supervisor::LookForStop() const {
  const int64_t spent_ms = MonotonicMs() - stop_began_ms_;
  StopFacts facts;
  facts.asked = stop_asked_;
  facts.handed_over = acceptor_.IsBacklogTaken() &&
                      std::all_of(stream_lanes_.begin(), stream_lanes_.end(),
                                  [](const auto& lane) { return lane->IsHandedOver(); });
  facts.accept_time_over = spent_ms >= kAcceptLimitMs;
  facts.intakes_stopped = AllInState(shm::Role::kIntake, {WorkerState::kStopped});
  facts.kafka_workers_stopped = AllInState(shm::Role::kKafka, {WorkerState::kStopped});
  facts.status_stopped = AllInState(std::nullopt, {WorkerState::kStopped});
  facts.kafka_workers_hopeless = AllInState(shm::Role::kKafka, {WorkerState::kStopped, WorkerState::kParked});
  facts.drain_time_over = spent_ms >= kFinalDrainLimitMs;
  facts.delivery_time_over = spent_ms >= instance_.config.stop_timeout_ms;
  facts.buffered = phase_ == StopPhase::kDelivering ? CountBuffered() : 0;
  return facts;
}

// An intake is asked once it is up, so that a successor does its predecessor's final drain again; one
// that can't work at all has nothing to wait for. The others leave nothing undone.
void Supervisor::AskToStop(std::optional<shm::Role> role) {
  for (const auto& worker : workers_) {
    if (worker->role() != role) continue;
    if (role == shm::Role::kIntake && !drain_failed_) {
      const bool can_drain = worker->state() != WorkerState::kParked && worker->state() != WorkerState::kDown;
      if (can_drain && worker->state() != WorkerState::kUp) continue;
      if (!can_drain) {
        LogError("{} can't do its final drain: messages in its sockets are lost", worker->name());
        drain_failed_ = true;
      }
    }
    worker->Handle(WorkerEvent::kStopAsked);
  }
}

bool Supervisor::AllInState(std::optional<shm::Role> role, std::initializer_list<WorkerState> states) const {
  return std::all_of(workers_.begin(), workers_.end(), [&](const std::unique_ptr<Worker>& worker) {
    return worker->role() != role || std::find(states.begin(), states.end(), worker->state()) != states.end();
  });
}

int Supervisor::SayLastWords() {
  const uint64_t left = CountBuffered();
  const uint64_t overflow = CountOverflow();
  control::Response response;
  response.set_last_words(true);
  response.set_messages_left(left);
  response.set_nothing_left(left == 0 && overflow == 0 && !drain_failed_);
  std::string text = "everything is delivered";
  if (left > 0 || overflow > 0) {
    text = std::to_string(left) + " messages are left in the buffer" +
           (overflow > 0 ? ", " + std::to_string(overflow) + " bytes in an overflow file" : "") +
           (UsesMemfd(instance_.config) ? " and lost: segment_dir = memfd" : "; the next start delivers them");
  }
  if (drain_failed_) text += "; an intake did not complete its final drain";
  response.set_text(text);
  for (const ControlServer::SessionId session : awaiting_stop_) control_.Reply(session, response);
  RemoveFiles(instance_);
  LogInfo("stopped: {}", text);
  if (left > 0 || overflow > 0) return kExitMessagesLeft;
  return drain_failed_ ? kExitError : kExitDone;
}

}  // namespace dory::supervisor
