#include "kafka_worker/kafka_worker.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "common/control.pb.h"
#include "common/clock.h"
#include "common/crash_point.h"
#include "common/log.h"
#include "kafka_worker/protocol/error_codes.h"
#include "kafka_worker/start.h"
#include "shm/store.h"

namespace dory::kafka {
namespace {

constexpr int kPassesPerTurn = 8;     // then sockets are looked at
constexpr int64_t kLookAgainMs = 1;   // after a turn that moved something; nobody signals meanwhile
constexpr int64_t kSafetyNetMs = 1000;  // while something is buffered
constexpr int64_t kHeartbeatMs = 5000;

}  // namespace

KafkaWorker::KafkaWorker(WorkerContext& context, shm::Segment& segment)
    : context_(context),
      memory_(segment, context.lane),
      config_(context.config),
      live_(Recover(memory_)),
      topics_(memory_, config_),
      cluster_(context.loop, config_.kafka, memory_,
               {.list_topics = [this] { return ListTopics([](const Topic&) { return true; }); },
                .list_unresolved = [this] { return ListTopics([](const Topic& topic) { return topic.unresolved; }); },
                .list_missing = [this] { return ListTopics([](const Topic& topic) { return topic.unknown.Stands(); }); },
                .list_leaders = [this] { return ListLeaders(); },
                .on_metadata = [this](const protocol::MetadataResponse& metadata) { OnMetadata(metadata); },
                .on_other_cluster = [this] { OnOtherCluster(); },
                .on_producer_id = [this] { topics_.MarkAllDirty(); },
                .on_broker_ready = [this] { topics_.MarkAllDirty(); },
                .on_room = [this](const BrokerConnection& connection) { sender_.OnRoom(connection); }}),
      lookup_(memory_, topics_, cluster_,
              [this](const Question& question, Verdict verdict, int64_t offset) {
                settler_.OnLookupEnd(question, verdict, offset);
              }),
      settler_(memory_, topics_, cluster_, lookup_, config_.kafka),
      sender_(memory_, topics_, cluster_, chunks_, config_.kafka,
              {.on_answer =
                   [this](BrokerConnection& connection, const std::vector<SentBatch>& batches, int16_t version,
                          const Answer& answer) { settler_.OnAnswer(connection, batches, version, answer); },
               .on_corrupt = [this](const SentBatch& batch) { settler_.DiscardCorrupt(batch); },
               .on_sequence_unknown = [this](const SentBatch& batch) { settler_.OnSequenceUnknown(batch); },
               .on_maybe_forgotten = [this](const SentBatch& batch) { settler_.OnMaybeForgotten(batch); },
               .on_other_cluster = [this](const SentBatch& batch) { settler_.OnOtherCluster(batch); },
               .on_partition_gone = [this](const SentBatch& batch) { settler_.OnPartitionGone(batch); }}),
      drain_(memory_, topics_),
      authorization_deadline_(memory_, topics_, cluster_, lookup_, settler_, drain_),
      unsent_limits_(memory_, topics_, drain_),
      data_bell_(&memory_.consumer->data_sleep, context.Descriptor("data_doorbell")),
      room_bell_(&memory_.producer->room_sleep, context.Descriptor("room_doorbell")),
      receipt_bell_(&memory_.producer->receipt_sleep, context.Descriptor("room_doorbell")),
      data_watcher_(context.loop, data_bell_.fd(), [this](int) { OnDoorbell(); }),
      turn_(context.loop, [] {}),
      heartbeat_(context.loop, [this] { shm::Store(memory_.page->heartbeat, memory_.page->heartbeat + 1); }) {}

void KafkaWorker::Run() {
  context_.handlers.on_link_end = [this] {  // everything is in the segment
    memory_.discard_log.Finish();
    ::_exit(kExitAsked);
  };
  context_.handlers.on_drain = [this](bool drain) {
    draining_ = drain;
    topics_.MarkAllDirty();
  };
  context_.handlers.on_config = [this](const Config& config) {
    config_ = config;
    ConfigureReport();
    topics_.SetConfig(config);
  };
  context_.handlers.fill_status = [this](control::WorkerStatus* status) { FillStatus(status); };
  drain_.SetOnNewTopic([this](Topic&) { cluster_.RefreshUnresolved(0); });
  ConfigureReport();
  topics_.Adopt(live_);
  heartbeat_.StartEvery(kHeartbeatMs);
  data_watcher_.Watch(kReadable);
  context_.loop.SetBeforeWait([this] { RunTurn(); });
  context_.SendReady();
  room_bell_.Wake();  // the one before may have died between a store, of outcomes too, and its signal
  context_.loop.Run();
}

void KafkaWorker::ConfigureReport() {
  memory_.report.SetInterval(config_.report_interval_ms);
  memory_.discard_log.Configure(DiscardLogSettingsOf(config_));
}

// Between two turns nothing is half counted.
void KafkaWorker::RollReport() {
  const int64_t now_ns = BoottimeNs();
  if (memory_.report.IsDue(now_ns)) memory_.report.Roll(now_ns);
}

void KafkaWorker::OnDoorbell() {
  data_bell_.Clear();
  data_bell_.CancelSleep();
}

// Waiting batches of known topics first: they are older than anything in the ring.
bool KafkaWorker::DrainAll(int64_t now_ms) {
  bool moved = false;
  for (Topic* topic : topics_.ListWaiting()) {
    if (!topic->known && !topic->given_up) continue;
    const PassResult pass = drain_.DrainWaiting(*topic, now_ms);
    moved |= pass.moved;
    topics_.MarkDirty(*topic);
  }
  const PassResult pass = drain_.DrainRing(now_ms);
  pool_full_ = pass.full;
  return moved || pass.moved;
}

void KafkaWorker::RunTurn() {
  RollReport();
  const int64_t now_ms = MonotonicMs();
  authorization_deadline_.Enforce(now_ms);
  bool moved_any = false;
  for (int pass = 0; pass < kPassesPerTurn; ++pass) {
    bool moved = DrainAll(now_ms);
    if (draining_ && moved) topics_.MarkAllDirty();  // what has just come is due at once
    topics_.MarkDue(now_ms);
    moved |= unsent_limits_.Enforce(now_ms);
    sender_.Dispatch({BoottimeNs(), draining_, topics_.combined_before()}, now_ms);
    lookup_.Dispatch(now_ms);
    moved_any |= moved;
    if (!moved) break;
  }
  if (moved_any) {
    room_bell_.WakeIfAsleep();
    shm::Store(memory_.page->heartbeat, memory_.page->heartbeat + 1);
  }
  if (memory_.receipts.TakeNews()) receipt_bell_.WakeIfAsleep();
  memory_.Mark(shm::Step::kNone, 0);
  PrepareToWait(moved_any, topics_.NextDueMs(now_ms));
}

// Busy: look again soon, unsignalled. Idle: ring the bell for me, and look once more before sleeping.
void KafkaWorker::PrepareToWait(bool moved, int64_t next_due_ms) {
  int64_t wait = next_due_ms < 0 ? kSafetyNetMs : std::min(next_due_ms, kSafetyNetMs);
  if (pool_full_) {
    data_bell_.CancelSleep();  // room comes with an answer, not with more records
  } else if (moved) {
    data_bell_.CancelSleep();
    wait = std::min(wait, kLookAgainMs);
  } else {
    data_bell_.PrepareSleep();
    if (memory_.ring.Tail() != shm::Load(memory_.consumer->head)) wait = 0;
  }
  if (topics_.HasDirty()) wait = 0;  // more than one request could take
  const bool buffered = memory_.pool.free_blocks() < memory_.pool.block_count();
  if (wait < kSafetyNetMs || buffered) {
    turn_.StartOnce(std::max<int64_t>(wait, 0));
  } else {
    turn_.Stop();
  }
}

int64_t KafkaWorker::OldestAgeMs(const Topic& topic) const {
  int64_t oldest = INT64_MAX;
  const auto look = [&](const BatchQueue& queue) {
    if (!queue.empty()) oldest = std::min(oldest, memory_.pool.descriptor(queue.front()).first_record_boottime_ns);
  };
  look(topic.waiting);
  look(topic.any);
  for (const Partition& partition : topic.partitions) {
    look(partition.keyed);
    look(partition.pinned);
    if (partition.batch != shm::kNoIndex) {
      oldest = std::min(oldest, memory_.pool.descriptor(partition.batch).first_record_boottime_ns);
    }
  }
  return oldest == INT64_MAX ? -1 : (BoottimeNs() - oldest) / 1'000'000;
}

void KafkaWorker::AddWarnings(const Topic& topic, control::WorkerStatus* status) const {
  if (topic.without_sequences_until_ms > 0) {
    status->add_warnings("topic " + topic.name + ": its message format is older than Kafka 0.11, headers are left out: " +
                         std::string(DescribeWithoutSequences(config_.kafka)));
  }
  if (const std::string full = DescribeFull(topic, MonotonicMs()); !full.empty()) status->add_warnings(full);
  if (topic.too_many) status->add_warnings(DescribeTooMany(topic));
  const std::string fate = topic.given_up ? "discarded" : "messages wait";
  if (topic.unknown.Stands()) {
    status->add_warnings("topic " + topic.name + ": unknown to brokers, " + fate);
  }
  const auto unauthorized = std::count_if(topic.partitions.begin(), topic.partitions.end(), [](const Partition& p) {
    return p.trouble.unauthorized.Stands();
  });
  if (topic.unauthorized.Stands() || unauthorized > 0) {
    status->add_warnings("topic " + topic.name + ": not authorized, " + fate);
  }
  if (topic.metadata_error != protocol::error::kNone) {
    const std::string_view name = protocol::FindErrorCode(topic.metadata_error).name;
    status->add_warnings(fmt::format("topic {}: brokers answer {} to who asks for it, {}", topic.name, name, fate));
  }
}

void KafkaWorker::FillStatus(control::WorkerStatus* status) const {
  cluster_.FillStatus(status);
  const std::string trouble = memory_.discard_log.Trouble();
  if (!trouble.empty()) status->add_warnings("discard_log: " + trouble);
  status->set_pool_blocks(memory_.pool.block_count());
  status->set_pool_blocks_free(memory_.pool.free_blocks());
  for (const auto& topic : topics_.topics()) {
    control::TopicStatus* shown = status->add_topics();
    shown->set_name(topic->name);
    shown->set_partitions(topic->known ? static_cast<int32_t>(topic->partition_count) : 0);
    shown->set_waiting_batches(topic->waiting.size());
    shown->set_oldest_age_ms(OldestAgeMs(*topic));
    AddWarnings(*topic, status);
  }
}

}  // namespace dory::kafka
