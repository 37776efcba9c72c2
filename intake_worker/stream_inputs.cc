#include "intake_worker/stream_inputs.h"

#include <sys/socket.h>

#include <utility>

#include "common/log.h"

namespace dory::intake {
namespace {

constexpr int kReadsATurn = 16;  // of one connection, before the loop looks at the others

}  // namespace

struct StreamInputs::Connection {
  Connection(StreamInputs& inputs, HandedConnection handed)
      : slot(handed.slot),
        generation(handed.generation),
        input(handed.input),
        fd(std::move(handed.fd)),
        watcher(inputs.context_.loop, fd.get(), [&inputs, this](int) { inputs.OnReadable(*this); }),
        part_timer(inputs.context_.loop, [&inputs, this] { inputs.OnPartTimeout(*this); }) {}

  const uint32_t slot;
  const uint64_t generation;
  const uint32_t input;
  FileDescriptor fd;
  IoWatcher watcher;
  Timer part_timer;            // runs while part of a message is there, and the connection is read
  uint64_t part_position = 0;  // of the message that it runs for
};

StreamInputs::StreamInputs(WorkerContext& context, IntakeLane& lane, int link, std::function<void()> on_no_room)
    : context_(context),
      lane_(lane),
      on_no_room_(std::move(on_no_room)),
      connections_(lane.streams().size()),
      reaper_(context.loop, [this] { closed_.clear(); }),
      hand_over_(context.loop, link,
                 {.on_connection = [this](HandedConnection handed) { OnHandedOver(std::move(handed)); },
                  .on_complete =
                      [this] {
                        all_handed_over_ = true;
                        if (!lane_.streams().HasLeftovers()) EndOthers();
                      }}) {}

StreamInputs::~StreamInputs() = default;

void StreamInputs::OnHandedOver(HandedConnection handed) {
  if (handed.slot >= connections_.size() || handed.input >= context_.config.inputs.size()) {
    LogError("connection {} of input {}: there is no such one", handed.slot, handed.input);
    return;
  }
  if (lane_.streams().HasLeftovers()) {
    arrivals_.push_back(std::move(handed));
  } else {
    Take(std::move(handed));
  }
}

void StreamInputs::Take(HandedConnection handed) {
  const uint32_t slot = handed.slot;
  connections_[slot] = std::make_unique<Connection>(*this, std::move(handed));
  Connection& connection = *connections_[slot];
  if (!lane_.streams().Knows(slot, connection.generation)) {
    const InputConfig& input = ConfigOf(connection.input);
    lane_.streams().Open(slot, connection.generation,
                         {.input = connection.input,
                          .is_tcp = input.type == InputType::kTcp,
                          .limit = static_cast<uint64_t>(input.max_message_size)});
  }
  if (lane_.streams().HasEnded(slot)) return Close(connection);
  connection.watcher.Watch(kReadable);
  UpdatePartTimer(connection);
}

void StreamInputs::EndOthers() {
  all_handed_over_ = false;
  std::vector<bool> live(connections_.size());
  for (size_t slot = 0; slot < live.size(); ++slot) live[slot] = connections_[slot] != nullptr;
  lane_.streams().EndOthers(live);
  WakeAreaWaiters();
}

void StreamInputs::Settle(bool read) {
  reading_ = read;
  for (HandedConnection& handed : std::exchange(arrivals_, {})) Take(std::move(handed));
  if (all_handed_over_) EndOthers();
  if (!read) return;
  for (const uint32_t slot : std::exchange(paused_, {})) Resume(slot);
  WakeAreaWaiters();
}

// False: it was closed meanwhile.
bool StreamInputs::Resume(uint32_t slot) {
  if (connections_[slot]) connections_[slot]->watcher.Watch(kReadable);
  return connections_[slot] != nullptr;
}

void StreamInputs::OnReadable(Connection& connection) {
  if (!reading_) {
    connection.watcher.Watch(0);
    connection.part_timer.Stop();
    paused_.push_back(connection.slot);
    return;
  }
  lane_.MoveHeartbeat();
  ReadSome(connection);
  WakeAreaWaiters();
}

void StreamInputs::ReadSome(Connection& connection) {
  for (int i = 0; i < kReadsATurn; ++i) {
    const StreamLane::Received received = lane_.streams().Receive(connection.slot, connection.fd.get());
    switch (received.outcome) {
      case Outcome::kMore: continue;
      case Outcome::kEmpty: break;
      case Outcome::kNoRoom: on_no_room_(); break;
      case Outcome::kNoArea: return WaitForArea(connection, received.lacks);
      case Outcome::kEnd: return Close(connection);
    }
    break;
  }
  UpdatePartTimer(connection);
}

void StreamInputs::WaitForArea(Connection& connection, AreaKind kind) {
  connection.watcher.Watch(0);
  connection.part_timer.Stop();
  area_waiters_[static_cast<size_t>(kind)].push_back(connection.slot);
}

void StreamInputs::WakeAreaWaiters() {
  for (const AreaKind kind : {AreaKind::kSmall, AreaKind::kLarge}) {
    std::deque<uint32_t>& waiters = area_waiters_[static_cast<size_t>(kind)];
    bool woken = false;  // one: it will free its area, or takes it
    while (!woken && !waiters.empty() && lane_.streams().HasFreeArea(kind)) {
      woken = Resume(waiters.front());
      waiters.pop_front();
    }
  }
}

// A message's time begins with its first bytes, and stands still while we do not read.
void StreamInputs::UpdatePartTimer(Connection& connection) {
  const uint32_t slot = connection.slot;
  if (!lane_.streams().HasPart(slot)) return connection.part_timer.Stop();
  const uint64_t position = lane_.streams().PositionOf(slot);
  if (connection.part_timer.active() && connection.part_position == position) return;
  connection.part_position = position;
  connection.part_timer.StartOnce(ConfigOf(connection.input).partial_timeout_ms);
}

void StreamInputs::OnPartTimeout(Connection& connection) {
  if (!reading_) return UpdatePartTimer(connection);
  LogInfo("a connection of input {} sent part of a message, and no more for {} ms: closed",
          ConfigOf(connection.input).name, ConfigOf(connection.input).partial_timeout_ms);
  Close(connection);
  WakeAreaWaiters();
}

void StreamInputs::Close(Connection& connection) {
  const uint32_t slot = connection.slot;
  lane_.streams().End(slot);
  connection.watcher.Watch(0);
  connection.part_timer.Stop();
  ::shutdown(connection.fd.get(), SHUT_RDWR);
  connection.fd.Reset();
  hand_over_.SendClosed(slot, connection.generation);
  closed_.push_back(std::move(connections_[slot]));
  reaper_.StartOnce(0);
}

std::vector<StreamSocket> StreamInputs::TakeAll() {
  hand_over_.ReadAll();
  for (HandedConnection& handed : std::exchange(arrivals_, {})) Take(std::move(handed));
  std::vector<StreamSocket> all;
  for (const auto& connection : connections_) {
    if (!connection) continue;
    all.push_back({connection->slot, connection->fd.get(), ConfigOf(connection->input).type == InputType::kTcp});
  }
  return all;
}

}  // namespace dory::intake
