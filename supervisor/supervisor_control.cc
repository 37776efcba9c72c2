// What the supervisor answers to doryctl and dory-status.

#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/paths.h"
#include "shm/store.h"
#include "supervisor/file_facts.h"
#include "supervisor/process_facts.h"
#include "supervisor/supervisor.h"

namespace dory::supervisor {

void Supervisor::OnRequest(ControlServer::SessionId session, const control::Request& request) {
  switch (request.kind_case()) {
    case control::Request::kStatus:
      return gatherer_.Ask([this, session](const GatheredStatus& gathered) { AnswerStatus(session, gathered); });
    case control::Request::kStop: {
      control::Response response;
      response.set_text("stopping");
      control_.Reply(session, response);
      awaiting_stop_.insert(session);
      return BeginStop("doryctl");
    }
    case control::Request::kPause: return AnswerPause(session, request.pause());
    case control::Request::kResume: return AnswerResume(session);
    case control::Request::kReload: return AnswerReload(session);
    case control::Request::kDrain: return AnswerDrain(session, request.drain());
    case control::Request::kUndrain: return AnswerUndrain(session);
    case control::Request::kRestart: return AnswerRestart(session, request.restart());
    case control::Request::KIND_NOT_SET: return control_.ReplyError(session, "a request that this dory does not know");
  }
}

void Supervisor::AnswerPause(ControlServer::SessionId session, uint64_t pause_ms) {
  if (stop_asked_) return control_.ReplyError(session, "Dory is stopping");
  pauser_.Pause(session, pause_ms, [this, session](const Status& status) {
    if (!status.ok()) return control_.ReplyError(session, status.message());
    control::Response response;
    response.set_segment_folder(instance_.segment_folder);
    response.set_segment_file(instance_.segment_folder.empty()
                                  ? "/proc/" + std::to_string(::getpid()) + "/fd/" +
                                        std::to_string(instance_.segment.get())
                                  : SegmentFilePath(instance_.config));
    control_.Reply(session, response);
  });
}

void Supervisor::AnswerResume(ControlServer::SessionId session) {
  if (!pauser_.Resume(session)) return control_.ReplyError(session, "the pause was over already");
  control_.Reply(session, control::Response());
}

// Once the workers that are up have taken it, so that what is sent from then on is judged by it.
void Supervisor::AnswerReload(ControlServer::SessionId session) {
  const Result<std::vector<ConfigChange>> changes = ReloadAndSay("doryctl");
  if (!changes.ok()) return control_.ReplyError(session, changes.status().message());
  control::Response response;
  for (const ConfigChange& change : changes.value()) {
    control::ConfigChange* const said = response.add_changes();
    said->set_section(change.section);
    said->set_key(change.key);
    said->set_from(change.from);
    said->set_to(change.to);
  }
  gatherer_.AskAnew([this, session, response](const GatheredStatus&) { control_.Reply(session, response); });
}

void Supervisor::AnswerDrain(ControlServer::SessionId session, uint64_t timeout_ms) {
  if (stop_asked_) return control_.ReplyError(session, "Dory is stopping");
  LogInfo("drains (doryctl): inputs are not read, {} ms to deliver {} messages", timeout_ms, CountBuffered());
  acceptor_.Hold(true);
  drainer_.Drain(timeout_ms, [this, session](uint64_t left) {
    if (!drainer_.active()) return control_.ReplyError(session, "the drain was taken back by a resume");
    LogInfo("drain: {} messages are left; inputs stay unread until doryctl resume", left);
    control::Response response;
    response.set_messages_left(left);
    response.set_nothing_left(left == 0);
    control_.Reply(session, response);
  });
}

void Supervisor::AnswerUndrain(ControlServer::SessionId session) {
  if (stop_asked_) return control_.ReplyError(session, "Dory is stopping");
  const bool was_draining = drainer_.TakeBack();
  acceptor_.Hold(false);
  if (was_draining) LogInfo("resumes (doryctl): inputs are read again");
  control::Response response;
  response.set_text(was_draining ? "inputs are read again" : "nothing was being drained");
  control_.Reply(session, response);
}

void Supervisor::AnswerRestart(ControlServer::SessionId session, const std::string& name) {
  if (stop_asked_) return control_.ReplyError(session, "Dory is stopping");
  std::string names;
  for (const auto& worker : workers_) {
    if (worker->name() == name) {
      LogInfo("restarts {} (doryctl)", name);
      worker->Handle(WorkerEvent::kRestartAsked);
      return control_.Reply(session, control::Response());
    }
    names += (names.empty() ? "" : ", ") + worker->name();
  }
  control_.ReplyError(session, "no worker '" + name + "'; there are: " + names);
}

void Supervisor::AnswerStatus(ControlServer::SessionId session, const GatheredStatus& gathered) {
  control::Response response;
  response.set_status_json(MakeStatusJson(GatherFacts(gathered)));
  control_.Reply(session, response);
}

// It asks again only once it was answered, so that one answer at most waits in its link.
void Supervisor::AnswerDoryStatus(Worker& worker) {
  gatherer_.Ask([this, &worker](const GatheredStatus& gathered) {
    control::ToWorker answer;
    answer.set_status_json(MakeStatusJson(GatherFacts(gathered)));
    worker.Send(answer);
  });
}

StatusFacts Supervisor::GatherFacts(const GatheredStatus& gathered) const {
  StatusFacts facts;
  facts.instance = instance_.config.instance;
  facts.state = DescribeState();
  facts.config_hash = file_.hash();
  facts.pid = ::getpid();
  facts.started_at = started_at_;
  facts.counted_since = ReadBirthTime(instance_.segment.get()).value_or(started_at_);
  facts.uptime_s = static_cast<double>(MonotonicMs() - started_ms_) / 1000;
  facts.answers = gathered.answers;
  facts.silent = gathered.silent;
  facts.report_interval_ms = instance_.config.report_interval_ms;
  facts.warnings = instance_.warnings;
  AddHttpWarnings(&facts.warnings);
  for (Warning& warning : acceptor_.ListWarnings()) facts.warnings.push_back(std::move(warning));
  for (const Warning& warning : socket_files_.warnings()) facts.warnings.push_back(warning);
  for (size_t i = 0; i < instance_.config.inputs.size(); ++i) {
    const InputConfig& input = instance_.config.inputs[i];
    facts.inputs.push_back({input.name, input.type, acceptor_.CountOf(i).open, acceptor_.CountOf(i).accepted,
                            socket_files_.CountRestored(static_cast<uint32_t>(i))});
  }
  for (uint32_t lane = 0; lane < segment_.geometry().lanes; ++lane) {
    const auto* producer = segment_.Get<shm::ProducerPage>(shm::RegionKind::kProducer, lane);
    const auto* consumer = segment_.Get<shm::ConsumerPage>(shm::RegionKind::kConsumer, lane);
    const uint64_t head = shm::Load(consumer->head);  // before tail, which only grows
    shm::WorkerReport intake_report = shm::ReadReport(segment_, shm::Role::kIntake, lane);
    shm::WorkerReport kafka_report = shm::ReadReport(segment_, shm::Role::kKafka, lane);
    facts.lanes.push_back({shm::ReadBooks(segment_, lane), segment_.geometry().ring_size,
                           shm::Load(producer->tail) - head, segment_.geometry().pool_size,
                           shm::Load(producer->overflow_in) - shm::Load(producer->overflow_out),
                           std::move(intake_report), std::move(kafka_report)});
  }
  for (const auto& worker : workers_) {
    const ProcessFacts process = ReadProcessFacts(worker->pid()).value_or(ProcessFacts{});
    facts.workers.push_back({worker->name(), worker->pid(), std::string(NameOf(worker->state())),
                             worker->generation(), worker->deaths().total(),
                             worker->deaths().IsDegraded(MonotonicMs()), process.cpu_s, process.rss_bytes});
  }
  return facts;
}

// Trouble of dory-status is a warning: the state is about messages, and those do not need it.
void Supervisor::AddHttpWarnings(std::vector<Warning>* warnings) const {
  for (const auto& worker : workers_) {
    if (worker->role()) continue;
    const WorkerState state = worker->state();
    if (state == WorkerState::kUp) warnings->insert(warnings->end(), http_warnings_.begin(), http_warnings_.end());
    if (state == WorkerState::kParked || worker->deaths().IsDegraded(MonotonicMs())) {
      warnings->push_back({"http", "dory-status is " + std::string(NameOf(state)) + " after " +
                                       std::to_string(worker->deaths().total()) + " deaths; messages are not affected"});
    }
  }
}

std::string Supervisor::DescribeState() const {
  if (stop_asked_) return "stopping";
  if (drainer_.active()) return "draining";
  bool all_up = true;
  for (const auto& worker : workers_) {
    if (!worker->role()) continue;
    if (worker->state() == WorkerState::kParked || worker->deaths().IsDegraded(MonotonicMs())) return "degraded";
    all_up = all_up && worker->state() == WorkerState::kUp;
  }
  return all_up ? "up" : "starting";
}

}  // namespace dory::supervisor
