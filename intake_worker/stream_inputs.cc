#include "intake_worker/stream_inputs.h"

#include <poll.h>
#include <sys/socket.h>

#include <utility>

#include "common/credentials.h"
#include "common/log.h"

namespace dory::intake {
namespace {

constexpr int kReadsATurn = 16;  // of one connection, before the loop looks at the others

// Whether the other end is closed in both directions, as far as the kernel can tell.
bool HasHungUp(int fd) {
  pollfd polled = {fd, 0, 0};
  return ::poll(&polled, 1, 0) > 0 && (polled.revents & (POLLHUP | POLLERR)) != 0;
}

}  // namespace

struct StreamInputs::Connection {
  Connection(StreamInputs& inputs, HandedConnection handed)
      : slot(handed.slot),
        generation(handed.generation),
        input(handed.input),
        fd(std::move(handed.fd)),
        watcher(inputs.context_.loop, fd.get(), [&inputs, this](int directions) { inputs.OnReady(*this, directions); }),
        part_timer(inputs.context_.loop, [&inputs, this] { inputs.OnPartTimeout(*this); }) {}

  // The directions that are watched from now on.
  void Read(bool wanted) { Watch(wanted, writes); }
  void Write(bool wanted) { Watch(reads, wanted); }

  const uint32_t slot;
  const uint64_t generation;
  const uint32_t input;
  FileDescriptor fd;
  IoWatcher watcher;
  Timer part_timer;            // runs while part of a message is there, and the connection is read
  uint64_t part_position = 0;  // of the message that it runs for
  bool reads = false;
  bool writes = false;

 private:
  void Watch(bool read, bool write) {
    reads = read;
    writes = write;
    watcher.Watch((read ? kReadable : 0) | (write ? kWritable : 0));
  }
};

StreamInputs::StreamInputs(WorkerContext& context, IntakeLane& lane, int link, std::function<void()> on_no_room)
    : context_(context),
      lane_(lane),
      on_no_room_(std::move(on_no_room)),
      connections_(lane.streams().size()),
      reaper_(context.loop, [this] { closed_.clear(); }),
      giver_(context.loop, [this] { GiveReceipts(); }),
      outcome_waiter_(context.loop, lane.receipt_sleep(), context.Descriptor("room_doorbell"), [this] { GiveReceipts(); }),
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
  StreamLane& streams = lane_.streams();
  if (!streams.Knows(slot, handed.generation)) {
    const InputConfig& input = ConfigOf(handed.input);
    if (!streams.Open(slot, handed.generation,
                      {.input = handed.input,
                       .is_tcp = input.type == InputType::kTcp,
                       .limit = static_cast<uint64_t>(input.max_message_size),
                       .uid = input.IsUnix() ? FindPeerUid(handed.fd.get()) : kNoUid})) {
      arrivals_.push_back(std::move(handed));
      return on_no_room_();
    }
  }
  connections_[slot] = std::make_unique<Connection>(*this, std::move(handed));
  Connection& connection = *connections_[slot];
  if (streams.HasEnded(slot)) return EndReading(connection);
  connection.Read(!streams.IsHeld(slot));
  UpdatePartTimer(connection);
  if (!lane_.receipts().IsOwed(slot)) return;
  SendReceipts(connection);
  giver_.StartOnce(0);  // it may be held for the room that this has made, while no other outcome is to come
}

void StreamInputs::EndOthers() {
  all_handed_over_ = false;
  std::vector<bool> live(connections_.size());
  for (size_t slot = 0; slot < live.size(); ++slot) live[slot] = connections_[slot] != nullptr;
  lane_.streams().EndOthers(live);
  if (lane_.streams().HasLeftovers()) on_no_room_();
}

void StreamInputs::Settle(bool read) {
  reading_ = read;
  for (HandedConnection& handed : std::exchange(arrivals_, {})) OnHandedOver(std::move(handed));
  if (all_handed_over_) EndOthers();
  if (read) {
    for (const uint32_t slot : std::exchange(paused_, {})) Resume(slot);
  }
  GiveReceipts();
}

// False: it was closed meanwhile.
bool StreamInputs::Resume(uint32_t slot) {
  if (!connections_[slot]) return false;
  connections_[slot]->Read(!lane_.streams().HasEnded(slot) && !lane_.streams().IsHeld(slot));
  return true;
}

void StreamInputs::StopReading(Connection& connection) {
  connection.Read(false);
  connection.part_timer.Stop();
}

void StreamInputs::OnReady(Connection& connection, int directions) {
  if ((directions & kWritable) != 0) {
    SendReceipts(connection);
    GiveReceipts();  // it has room for more
  }
  if ((directions & kReadable) != 0 && connection.reads) OnReadable(connection);
}

void StreamInputs::OnReadable(Connection& connection) {
  if (!reading_) {
    StopReading(connection);
    paused_.push_back(connection.slot);
    return;
  }
  lane_.MoveHeartbeat();
  ReadSome(connection);
  if (MustGiveNow()) GiveReceipts();
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
      case Outcome::kNoReceipt: return StopReading(connection);
      case Outcome::kEnd: return EndReading(connection);
    }
    break;
  }
  UpdatePartTimer(connection);
}

// Nothing more comes. Its client may still wait for receipts.
void StreamInputs::EndReading(Connection& connection) {
  StopReading(connection);
  lane_.streams().End(connection.slot);
  const bool waits = lane_.receipts().IsOwed(connection.slot) && !HasHungUp(connection.fd.get());
  waits ? SendReceipts(connection) : Close(connection);
}

void StreamInputs::SendReceipts(Connection& connection) {
  const Outcome outcome = lane_.receipts().Send(connection.slot, connection.fd.get());
  connection.Write(outcome == Outcome::kMore);
  const bool is_done = lane_.streams().HasEnded(connection.slot) && !lane_.receipts().IsOwed(connection.slot);
  if (outcome == Outcome::kEnd || is_done) Close(connection);
}

// Open tickets alone are no reason to look at them: while the waiting lasts, each outcome signals.
bool StreamInputs::MustGiveNow() const {
  const Receipts& receipts = lane_.receipts();
  return receipts.AreAnyReady() || (receipts.AreAnyOpen() && !outcome_waiter_.waiting());
}

void StreamInputs::GiveReceipts() {
  Receipts& receipts = lane_.receipts();
  bool again = true;
  while (again) {
    if (receipts.AreAnyOpen()) outcome_waiter_.Begin();  // and then looks
    receipts.AnswerSettled();
    for (const uint32_t slot : receipts.TakeReady()) {
      if (connections_[slot]) SendReceipts(*connections_[slot]);
    }
    ReleaseHeld();
    again = MustGiveNow();
  }
  if (!receipts.AreAnyOpen()) outcome_waiter_.End();
  WakeAreaWaiters();  // what was held lay in areas
}

// What waited for a receipt that it may ask for now.
void StreamInputs::ReleaseHeld() {
  for (const uint32_t slot : lane_.streams().PublishHeld()) {
    if (!connections_[slot]) continue;
    if (lane_.streams().HasEnded(slot)) {
      EndReading(*connections_[slot]);
    } else {
      Resume(slot);
      UpdatePartTimer(*connections_[slot]);
    }
  }
  if (lane_.streams().HasLeftovers()) on_no_room_();
}

void StreamInputs::WaitForArea(Connection& connection, AreaKind kind) {
  StopReading(connection);
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
  if (!lane_.streams().HasPart(slot) || lane_.streams().IsHeld(slot)) return connection.part_timer.Stop();
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
  lane_.receipts().Leave(slot);
  lane_.streams().End(slot);
  if (lane_.streams().HasLeftovers()) on_no_room_();
  StopReading(connection);
  connection.Write(false);
  ::shutdown(connection.fd.get(), SHUT_RDWR);
  connection.fd.Reset();
  hand_over_.SendClosed(slot, connection.generation);
  closed_.push_back(std::move(connections_[slot]));
  reaper_.StartOnce(0);
  giver_.StartOnce(0);  // another may be held for what it had
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
