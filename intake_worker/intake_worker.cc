#include "intake_worker/intake_worker.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <vector>

#include "common/clock.h"
#include "common/control.pb.h"
#include "common/credentials.h"
#include "common/log.h"
#include "common/worker_context.h"
#include "intake_worker/doorbell_waiter.h"
#include "intake_worker/final_drain.h"
#include "intake_worker/intake_lane.h"
#include "intake_worker/stream_inputs.h"
#include "shm/segment.h"

namespace dory::intake {
namespace {

constexpr int kBurstsATurn = 16;  // of one socket, before the loop looks at the others
constexpr int64_t kHeartbeatMs = 5'000;

uint64_t ReadMaxDatagramQueue() {
  uint64_t length = 10;
  std::ifstream("/proc/sys/net/unix/max_dgram_qlen") >> length;
  return length;
}

bool IsDatagramInputOf(const InputConfig& input, uint32_t lane) {
  return input.type == InputType::kUnixDatagram && static_cast<uint32_t>(input.lane) == lane;
}

LaneSettings MakeSettings(const WorkerContext& context, const shm::Geometry& geometry) {
  LaneSettings settings;
  std::vector<uint32_t> datagram_limits;
  for (const InputConfig& input : context.config.inputs) {
    settings.limits.push_back(static_cast<uint32_t>(input.max_message_size));
    if (IsDatagramInputOf(input, context.lane)) datagram_limits.push_back(settings.limits.back());
  }
  const uint64_t largest = std::max<uint64_t>(geometry.slot_size, geometry.large_area_size);
  settings.held_back = CountHeldBack(geometry.ring_size, largest, datagram_limits, ReadMaxDatagramQueue());
  settings.reject_when_full = context.config.RejectsWhenFull(context.lane);
  if (!context.segment_folder.empty()) {
    settings.overflow_path = context.segment_folder + "/overflow." + std::to_string(context.lane);
  }
  return settings;
}

shm::Segment MapSegmentOrEnd(const WorkerContext& context) {
  Result<shm::Segment> segment =
      shm::Segment::Map(context.Descriptor("segment"), shm::Role::kIntake, context.lane);
  if (segment.ok()) return segment.Take();
  LogError("segment: {}", segment.status().message());
  std::_Exit(kExitSegment);
}

class IntakeWorker {
 public:
  IntakeWorker(WorkerContext& context, shm::Segment& segment)
      : context_(context),
        lane_(segment, context.lane, context.config, MakeSettings(context, segment.geometry()),
              context.Descriptor("data_doorbell")),
        room_waiter_(context.loop,
                     &segment.GetWritable<shm::ProducerPage>(shm::RegionKind::kProducer, context.lane)->room_sleep,
                     context.Descriptor("room_doorbell"), [this] { GoOn(); }),
        go_on_timer_(context.loop, [this] { GoOn(); }),
        heartbeat_(context.loop, [this] {
          lane_.MoveHeartbeat();
          lane_.RollReport(BoottimeNs());
        }) {
    const std::vector<InputConfig>& inputs = context.config.inputs;
    const int link = context.FindDescriptor("connections");
    if (link >= 0) streams_ = std::make_unique<StreamInputs>(context, lane_, link, [this] { WaitForRoom(); });
    for (uint32_t index = 0; index < inputs.size(); ++index) {
      if (!IsDatagramInputOf(inputs[index], context.lane)) continue;
      AddInput({index, context.Descriptor("input:" + inputs[index].name)});
    }
  }

  void Start() {
    lane_.permissions().Configure(context_.config.inputs);
    AskSockets(!context_.config.clients.empty());
    lane_.Recover();
    if (!lane_.slots_locked()) {
      LogWarning("receive slots are not locked in memory: raise RLIMIT_MEMLOCK");
    }
    SetHandlers();
    heartbeat_.StartEvery(kHeartbeatMs);
    go_on_timer_.StartOnce(0);
    if (streams_) streams_->GiveReceipts();
    context_.SendReady();
  }

 private:
  void AddInput(const InputSocket& socket) {
    sockets_.push_back(socket);
    watchers_.push_back(
        std::make_unique<IoWatcher>(context_.loop, socket.fd, [this, socket](int) { OnReadable(socket); }));
  }

  // Whether they say who sends. Before slots ask for it, and as long as they do.
  void AskSockets(bool ask) {
    for (const InputSocket& socket : sockets_) PassCredentials(socket.fd, ask);
  }

  void SetHandlers() {
    context_.handlers.on_config = [this](const Config& config) {
      const bool ask = !config.clients.empty();
      if (ask) AskSockets(true);
      lane_.Configure(config);
      if (!ask) AskSockets(false);
      lane_.permissions().Configure(config.inputs);
    };
    context_.handlers.fill_status = [this](control::WorkerStatus* status) {
      if (!lane_.slots_locked()) status->add_warnings("slots_locked: false");
      const std::string trouble = lane_.discard_log().Trouble();
      if (!trouble.empty()) status->add_warnings("discard_log: " + trouble);
    };
    context_.handlers.on_drain = [this](bool drain) { Hold(drain); };
    context_.handlers.on_link_end = [this] { End(); };
  }

  // doryctl drain: sockets stay unread, so that senders wait, until it is taken back.
  void Hold(bool hold) {
    held_ = hold;
    said_holding_ = false;
    WatchSockets(0);
    go_on_timer_.StartOnce(0);
  }

  void SayHolding() {
    if (said_holding_) return;
    said_holding_ = true;
    control::FromWorker message;
    message.set_holding(true);
    context_.link->Send(message);
  }

  void OnReadable(const InputSocket& socket) {
    lane_.MoveHeartbeat();
    for (int burst = 0; burst < kBurstsATurn; ++burst) {
      const Outcome outcome = lane_.ReceiveOnce(socket.index, socket.fd);
      if (outcome == Outcome::kEmpty) return;
      if (outcome == Outcome::kNoRoom) return WaitForRoom();
    }
  }

  // Publishes what an earlier life has left, a burst a turn, then reads the sockets.
  void GoOn() {
    lane_.MoveHeartbeat();
    const Outcome outcome = lane_.PublishLeftovers();
    const bool would_read = outcome == Outcome::kEmpty && !held_;
    if (outcome == Outcome::kNoRoom || (would_read && !lane_.HasRoom())) return WaitForRoom();
    room_waiter_.End();
    if (outcome == Outcome::kMore) return go_on_timer_.StartOnce(0);
    if (streams_) streams_->Settle(!held_);
    if (room_waiter_.waiting()) return;  // they had more than there is room for
    if (held_) return SayHolding();
    WatchSockets(kReadable);
  }

  void WaitForRoom() {
    if (room_waiter_.waiting()) return;
    WatchSockets(0);
    room_waiter_.Begin();
    if (lane_.HasRoom()) go_on_timer_.StartOnce(0);
  }

  void WatchSockets(int directions) {
    if (streams_ && directions == 0) streams_->Pause();
    for (const auto& watcher : watchers_) watcher->Watch(directions);
  }

  [[noreturn]] void End() {
    LogInfo("the control link has ended: final drain");
    if (streams_) streams_->GiveReceipts();  // of what is settled
    DrainFinally(lane_, sockets_, [this] { return streams_ ? streams_->TakeAll() : std::vector<StreamSocket>(); });
    lane_.discard_log().Finish();
    std::_Exit(kExitAsked);
  }

  WorkerContext& context_;
  IntakeLane lane_;
  std::vector<InputSocket> sockets_;
  std::vector<std::unique_ptr<IoWatcher>> watchers_;
  std::unique_ptr<StreamInputs> streams_;  // none: the lane has no stream inputs
  DoorbellWaiter room_waiter_;
  Timer go_on_timer_;
  Timer heartbeat_;
  bool held_ = false;
  bool said_holding_ = false;
};

}  // namespace

int RunIntake() {
  const std::unique_ptr<WorkerContext> context = BeginWorker("intake", SIGTERM, shm::kLayoutNumber);
  shm::Segment segment = MapSegmentOrEnd(*context);
  IntakeWorker worker(*context, segment);
  worker.Start();
  context->loop.Run();
  return kExitAsked;
}

}  // namespace dory::intake
