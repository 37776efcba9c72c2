#include "supervisor/supervisor.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <ctime>

#include "common/clock.h"
#include "common/log.h"
#include "common/paths.h"
#include "shm/store.h"
#include "supervisor/process_facts.h"

namespace dory::supervisor {

Supervisor::Supervisor(ConfigFile file, Instance instance, shm::Segment segment, const std::string& program_folder)
    : file_(std::move(file)), instance_(std::move(instance)), segment_(std::move(segment)),
      acceptor_(loop_, instance_.config, stream_lanes_), socket_files_(loop_, instance_.inputs),
      gatherer_(loop_, workers_),
      pauser_(loop_, &host_, workers_), drainer_(loop_, &host_, workers_, [this] { return CountBuffered(); }),
      control_(
          loop_, std::move(instance_.control),
          [this](ControlServer::SessionId session, const control::Request& request) { OnRequest(session, request); },
          [this](ControlServer::SessionId session) {
            awaiting_stop_.erase(session);
            pauser_.Resume(session);
          }),
      look_(loop_, [this] { for (const auto& worker : workers_) worker->Look(); }),
      stop_poll_(loop_, [this] { AdvanceStop(); }), started_ms_(MonotonicMs()),
      started_at_(std::time(nullptr)) {
  host_.loop = &loop_;
  host_.segment = &segment_;
  host_.segment_folder = instance_.segment_folder;
  host_.config = DumpConfig(instance_.config);
  host_.on_change = [this](Worker& worker) { OnWorkerChange(worker); };
  host_.on_message = [this](Worker& worker, const control::FromWorker& message) {
    OnWorkerMessage(worker, message);
  };
  MakeStreamLanes();
  MakeWorkers(program_folder);
}

void Supervisor::MakeStreamLanes() {
  if (!instance_.config.HasStreams()) return;
  const auto* const slots = segment_.Get<shm::WorkerSlot>(shm::RegionKind::kWorkerSlots, 0);
  for (uint32_t lane = 0; lane < segment_.geometry().lanes; ++lane) {
    const uint64_t last_intake = shm::Load(slots[shm::WorkerIndex(shm::Role::kIntake, lane)].generation);
    stream_lanes_.push_back(std::make_unique<StreamLane>(
        loop_, static_cast<uint32_t>(instance_.config.stream_connections), last_intake,
        [this](uint32_t input) { acceptor_.OnClosed(input); }));
  }
}

void Supervisor::MakeWorkers(const std::string& program_folder) {
  for (uint32_t lane = 0; lane < segment_.geometry().lanes; ++lane) {
    WorkerSpec intake{shm::Role::kIntake, lane, program_folder + "/dory-intake",
                      {{"segment", instance_.segment.get()},
                       {"lock", instance_.segment_lock.get()},
                       {"data_doorbell", instance_.doorbells[lane].data.get()},
                       {"room_doorbell", instance_.doorbells[lane].room.get()}},
                      {}};
    WorkerSpec kafka = intake;
    kafka.role = shm::Role::kKafka;
    kafka.program = program_folder + "/dory-kafka";
    for (const InputSocket& input : instance_.inputs) {
      const bool ours = input.type == InputType::kUnixDatagram && input.lane == lane;
      if (ours) intake.descriptors.emplace_back("input:" + input.name, input.fd.get());
    }
    if (!stream_lanes_.empty()) {
      intake.open_link = [stream_lane = stream_lanes_[lane].get()] { return stream_lane->OpenLink(); };
    }
    workers_.push_back(std::make_unique<Worker>(&host_, std::move(intake)));
    workers_.push_back(std::make_unique<Worker>(&host_, std::move(kafka)));
  }
  if (instance_.config.http_listen.port == 0) return;
  workers_.push_back(
      std::make_unique<Worker>(&host_, WorkerSpec{std::nullopt, 0, program_folder + "/dory-status", {}, {}}));
}

void Supervisor::WatchSignals() {
  const auto watch = [this](int number, std::function<void()> callback) {
    signals_.push_back(std::make_unique<SignalWatcher>(loop_, number, std::move(callback)));
  };
  ::signal(SIGPIPE, SIG_IGN);
  watch(SIGCHLD, [this] { OnChildEnded(); });
  watch(SIGTERM, [this] { OnStopSignal(); });
  watch(SIGINT, [this] { OnStopSignal(); });
  watch(SIGHUP, [this] { (void)ReloadAndSay("signal"); });
  watch(SIGUSR1, [this] { ReopenLogs(); });
}

int Supervisor::Run() {
  WatchSignals();
  look_.StartEvery(kLookIntervalMs);
  for (const auto& worker : workers_) worker->Handle(WorkerEvent::kStart);
  acceptor_.Start(instance_.inputs);
  socket_files_.Start();
  loop_.Run();
  return SayLastWords();
}

void Supervisor::OnChildEnded() {
  for (const auto& worker : workers_) worker->Reap();
}

void Supervisor::OnWorkerChange(Worker& worker) {
  gatherer_.OnWorkerChange(worker);
  pauser_.OnWorkerChange(worker);
  drainer_.OnWorkerChange(worker);
  TellStreamLane(worker);
  TellDegraded(worker);
  // Not from here: this may be in the middle of asking workers to stop.
  if (stop_asked_) stop_poll_.StartOnce(0);
}

void Supervisor::TellStreamLane(const Worker& worker) {
  if (stream_lanes_.empty() || worker.role() != shm::Role::kIntake) return;
  StreamLane& lane = *stream_lanes_[worker.lane()];
  if (worker.state() == WorkerState::kUp) lane.HandOverAll();
  if (!HasProcess(worker.state())) lane.CloseLink();
}

void Supervisor::TellDegraded(const Worker& worker) {
  if (!worker.deaths().IsDegraded(MonotonicMs())) {
    degraded_.erase(worker.name());
  } else if (degraded_.insert(worker.name()).second) {
    LogError("{} died {} times within {} s: degraded; it is started again and again", worker.name(),
             kDegradedDeaths, kDegradedWindowMs / 1000);
  }
}

void Supervisor::OnWorkerMessage(Worker& worker, const control::FromWorker& message) {
  if (!worker.role()) return OnDoryStatusMessage(worker, message);
  if (message.has_status()) gatherer_.OnAnswer(worker, message.status());
  if (message.has_paused()) pauser_.OnPaused(worker);
  if (message.has_holding()) drainer_.OnHolding(worker);
}

void Supervisor::OnDoryStatusMessage(Worker& worker, const control::FromWorker& message) {
  if (message.has_status_wanted()) AnswerDoryStatus(worker);
  if (!message.has_status()) return;
  http_warnings_.clear();
  for (const std::string& text : message.status().warnings()) http_warnings_.push_back({"http", text});
}

void Supervisor::ReopenLogs() {
  ReopenLog();
  control::ToWorker message;
  message.set_reopen_logs(true);
  for (const auto& worker : workers_) worker->Send(message);
  LogInfo("logs reopened");
}

uint64_t Supervisor::CountBuffered() const {
  uint64_t buffered = 0;
  for (uint32_t lane = 0; lane < segment_.geometry().lanes; ++lane) {
    buffered += shm::ReadBooks(segment_, lane).Buffered();
  }
  return buffered;
}

uint64_t Supervisor::CountOverflow() const {
  uint64_t bytes = 0;
  for (uint32_t lane = 0; lane < segment_.geometry().lanes; ++lane) {
    const auto* page = segment_.Get<shm::ProducerPage>(shm::RegionKind::kProducer, lane);
    bytes += shm::Load(page->overflow_in) - shm::Load(page->overflow_out);
  }
  return bytes;
}

}  // namespace dory::supervisor
