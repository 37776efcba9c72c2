#include "supervisor/acceptor.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

#include "common/clock.h"
#include "common/log.h"

namespace dory::supervisor {
namespace {

constexpr int kAcceptsPerTurn = 64;  // then the loop's other watchers have theirs
constexpr int64_t kRetryMs = 1000;
constexpr int64_t kSayAgainMs = 60'000;
constexpr rlim_t kReserve = 24;  // descriptors for all but connections

constexpr int64_t kHandshakeMs = 10;  // on loopback it takes microseconds

// Between the last look into the backlog and the listener's end a client could still connect and send, and would
// hear only later that nobody has read it. So no handshake begins any more: a segment with SYN and without ACK is
// dropped (SO_ATTACH_FILTER of socket(7); bytes count from the TCP header, RFC 9293 section 3.1). The
// client's kernel tries again, after a second; by then there is a successor, or a reset.
void DropHandshakes(int listener) {
  constexpr uint32_t kFlagsAt = 13, kSyn = 0x02, kAck = 0x10;
  sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kFlagsAt),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, kSyn | kAck),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kSyn, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
  };
  const sock_fprog program{static_cast<unsigned short>(std::size(steps)), steps};
  if (::setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0) {
    LogWarning("SO_ATTACH_FILTER: {}; what clients send that connect just now may be lost", std::strerror(errno));
  }
}

bool IsOfMemory(int error) { return error == ENOBUFS || error == ENOMEM; }
bool IsShortage(int error) { return error == EMFILE || error == ENFILE || IsOfMemory(error); }

}  // namespace

Acceptor::Acceptor(EventLoop& loop, const Config& config, std::vector<std::unique_ptr<StreamLane>>& lanes)
    : lanes_(lanes), loop_(loop), retry_(loop, [this] { Retry(); }), handshakes_(loop, [this] { Retry(); }), counts_(config.inputs.size()),
      slots_(static_cast<size_t>(config.stream_connections)) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) limit_ = files.rlim_cur;
}

void Acceptor::Start(const std::vector<InputSocket>& sockets) {
  for (const InputSocket& socket : sockets) {
    if (socket.type != InputType::kUnixDatagram) listeners_.push_back({&socket, nullptr});
  }
  for (Listener& listener : listeners_) {
    listener.watcher = std::make_unique<IoWatcher>(loop_, listener.socket->fd.get(),
                                                   [this, &listener](int) { AcceptSome(listener); });
  }
  UpdateWatch();
}

void Acceptor::Hold(bool held) {
  held_ = held;
  UpdateWatch();
}

void Acceptor::TakeBacklog() {
  ending_ = true;
  for (Listener& listener : listeners_) {
    const InputSocket& socket = *listener.socket;
    if (socket.type == InputType::kUnixStream) {
      ::unlink(socket.path.c_str());
      ::shutdown(socket.fd.get(), SHUT_RD);  // who connects from now on is refused
    } else {
      DropHandshakes(socket.fd.get());
      handshakes_.StartOnce(kHandshakeMs);
    }
  }
  Retry();
}

bool Acceptor::IsBacklogTaken() const {
  return std::all_of(listeners_.begin(), listeners_.end(), [](const Listener& listener) { return listener.is_done; });
}

void Acceptor::OnClosed(uint32_t input) {
  --counts_[input].open;
  if (full_) SetFull(false);
}

void Acceptor::AcceptSome(Listener& listener) {
  if (listener.is_done || (held_ && !ending_)) return;
  Outcome outcome = HasSpareDescriptor() ? Outcome::kAccepted : Outcome::kShort;
  for (int turn = 0; turn < kAcceptsPerTurn && outcome <= Outcome::kTryAgain; ++turn) outcome = AcceptOne(listener);
  if (outcome == Outcome::kNoSlot) return SetFull(true);
  if (outcome == Outcome::kShort) return SetShort(true);
  SetShort(false);
  const bool is_settled = listener.socket->type == InputType::kUnixStream || !handshakes_.active();
  listener.is_done = ending_ && outcome == Outcome::kEmpty && is_settled;
  UpdateWatch();
  // Nobody is answered there any more: a later connection gets a reset, not silence.
  if (listener.is_done) ::shutdown(listener.socket->fd.get(), SHUT_RDWR);
}

Acceptor::Outcome Acceptor::AcceptOne(const Listener& listener) {
  StreamLane* const lane = ChooseLane();
  if (lane == nullptr) return Outcome::kNoSlot;
  FileDescriptor fd(::accept4(listener.socket->fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd.valid()) {
    no_memory_ = IsOfMemory(errno);
    if (IsShortage(errno)) return Outcome::kShort;
    // EINVAL: it was shut down, and nobody is left. Others are of a connection that has gone already.
    return errno == EAGAIN || errno == EINVAL ? Outcome::kEmpty : Outcome::kTryAgain;
  }
  const bool spare = IsSpare(fd.get());
  Count& count = counts_[listener.socket->input];
  ++count.accepted;
  ++count.open;
  lane->Add(std::move(fd), listener.socket->input);
  no_memory_ = false;
  return spare ? Outcome::kAccepted : Outcome::kShort;
}

StreamLane* Acceptor::ChooseLane() {
  for (size_t tried = 0; tried < lanes_.size(); ++tried) {
    StreamLane& lane = *lanes_[next_lane_];
    next_lane_ = (next_lane_ + 1) % lanes_.size();
    if (lane.HasRoom()) return &lane;
  }
  return nullptr;
}

// The kernel gives the lowest free number: where that is high, all below it are taken.
bool Acceptor::IsSpare(int fd) const {
  return static_cast<rlim_t>(fd) + std::min(kReserve, limit_ / 4) < limit_;
}

bool Acceptor::HasSpareDescriptor() const {
  const FileDescriptor probe(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
  return probe.valid() && IsSpare(probe.get());
}

void Acceptor::SetFull(bool full) {
  const bool begins = full && !full_;
  full_ = full;
  if (begins) Say(ListWarnings().front(), &full_said_ms_);
  UpdateWatch();
}

void Acceptor::SetShort(bool is_short) {
  if (is_short) retry_.StartOnce(kRetryMs);
  const bool begins = is_short && !short_;
  short_ = is_short;
  if (begins) Say(ListWarnings().back(), &short_said_ms_);
  UpdateWatch();
}

// What comes and goes with every connection is a line a minute.
void Acceptor::Say(const Warning& warning, int64_t* said_ms) {
  const int64_t now_ms = MonotonicMs();
  if (*said_ms != 0 && now_ms - *said_ms < kSayAgainMs) return;
  *said_ms = now_ms;
  LogWarning("{}", warning.text);
}

void Acceptor::Retry() {
  for (Listener& listener : listeners_) AcceptSome(listener);
}

void Acceptor::UpdateWatch() {
  const bool waits = full_ || retry_.active() || (held_ && !ending_);
  for (Listener& listener : listeners_) listener.watcher->Watch(waits || listener.is_done ? 0 : kReadable);
}

std::vector<Warning> Acceptor::ListWarnings() const {
  std::vector<Warning> warnings;
  if (full_) {
    warnings.push_back({"connections_full",
                        fmt::format("there are as many stream connections as slots, {} a lane: further ones wait until "
                                    "one is closed ([buffer] stream_connections)", slots_)});
  }
  const bool intake_short = std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->IsShort(); });
  if (short_ && no_memory_) {
    warnings.push_back({"memory", "the system has no memory for further stream connections: they wait"});
  } else if (short_ || intake_short) {
    warnings.push_back({"descriptors", fmt::format("no descriptors are left for stream connections, {} are allowed: "
                                                   "further ones wait (ulimit -n)", limit_)});
  }
  return warnings;
}

}  // namespace dory::supervisor
