#include "kafka_worker/broker_connection.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cassert>
#include <climits>

#include "common/clock.h"
#include "kafka_worker/backoff.h"
#include "kafka_worker/protocol/error_codes.h"
#include "kafka_worker/protocol/list_offsets.h"

namespace dory::kafka {
namespace {

using protocol::Api;

constexpr size_t kReadSize = 256 * 1024;
constexpr size_t kKeptInputBytes = 1 << 20;
constexpr size_t kFrameSizeBytes = protocol::kFrameSizeBytes;

struct AddressList {
  addrinfo* first = nullptr;
  ~AddressList() {
    if (first != nullptr) ::freeaddrinfo(first);
  }
};

// Begins to connect to one of the name's addresses: the next one with each failure.
Result<int> ConnectTo(const HostPort& address, uint32_t failures) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  AddressList found;
  const std::string port = std::to_string(address.port);
  if (const int error = ::getaddrinfo(address.host.c_str(), port.c_str(), &hints, &found.first)) {
    return Status::Error(std::string("resolve: ") + ::gai_strerror(error));
  }
  uint32_t count = 0;
  for (const addrinfo* at = found.first; at != nullptr; at = at->ai_next) ++count;
  const addrinfo* chosen = found.first;
  for (uint32_t i = 0; i < failures % count; ++i) chosen = chosen->ai_next;
  const int fd = ::socket(chosen->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return Status::Errno("socket");
  if (::connect(fd, chosen->ai_addr, chosen->ai_addrlen) == 0 || errno == EINPROGRESS) return fd;
  const Status status = Status::Errno("connect");
  ::close(fd);
  return status;
}

}  // namespace

BrokerConnection::BrokerConnection(EventLoop& loop, const ConnectionSettings& settings,
                                   NegotiationMemory& memory, HostPort address, size_t most_exchanges)
    : loop_(loop),
      settings_(settings),
      memory_(memory),
      address_(std::move(address)),
      most_exchanges_(most_exchanges),
      deadline_(loop, [this] { OnDeadline(); }),
      hold_(loop, [this] { OnHoldEnd(); }),
      random_(std::random_device{}()) {}

BrokerConnection::~BrokerConnection() {
  if (watcher_ != nullptr) watcher_->Watch(0);
  if (fd_ >= 0) ::close(fd_);
}

void BrokerConnection::Connect(int64_t now_ms) {
  if (state_ != State::kDown || now_ms < not_before_ms_) return;
  const Status status = StartConnecting();
  if (!status.ok()) GoDown(status);
}

Status BrokerConnection::StartConnecting() {
  ForgetLargeAnswer();  // not while it went down: who reads the answer may be the one who closed it
  Result<int> fd = ConnectTo(address_, failures_);
  if (!fd.ok()) return fd.status();
  fd_ = fd.value();
  const int one = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  watcher_ = std::make_unique<IoWatcher>(loop_, fd_, [this](int directions) { OnSocket(directions); });
  watcher_->Watch(kWritable);
  state_ = State::kConnecting;
  closed_by_peer_ = false;
  deadline_.StartOnce(kConnectTimeoutMs);
  return Status::Ok();
}

void BrokerConnection::OnSocket(int directions) {
  if (state_ == State::kConnecting) {
    FinishConnecting();
    return;
  }
  if ((directions & kReadable) != 0) Read();
  if (fd_ >= 0 && (directions & kWritable) != 0) Write();
}

void BrokerConnection::FinishConnecting() {
  int error = 0;
  socklen_t size = sizeof(error);
  ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    GoDown(Status::Errno("connect", error));
    return;
  }
  state_ = State::kNegotiating;
  deadline_.Stop();
  watcher_->Watch(kReadable);
  BeginNegotiation();
}

void BrokerConnection::BeginNegotiation() {
  negotiation_ = memory_.Choose(address_);
  answered_probe_ = false;
  if (negotiation_ == Negotiation::kOldest) {
    Adopt(protocol::ListOldestVersions());
    return;
  }
  if (negotiation_ == Negotiation::kProbe) SendProbe();
  if (fd_ >= 0) Negotiate(protocol::FindApi(Api::kApiVersions).spoken.highest);
}

void BrokerConnection::SendProbe() {
  const protocol::RequestHeader header{0, next_correlation_id_, settings_.client_id};
  Send(Api::kListOffsets, 0, Frame::Of(protocol::EncodeEmptyListOffsetsRequest(header)),
       settings_.request_timeout_ms + settings_.grace_ms, [this](const Answer& answer) {
         answered_probe_ = answer.body.ok() && protocol::CheckEmptyListOffsetsResponse(answer.body.value()).ok();
       });
}

void BrokerConnection::Negotiate(int16_t version) {
  const protocol::RequestHeader header{version, next_correlation_id_, settings_.client_id};
  const protocol::ApiVersionsRequest request{"dory", DORY_VERSION};
  Send(Api::kApiVersions, version, Frame::Of(protocol::EncodeApiVersionsRequest(header, request)),
       kVersionsDeadlineMs, [this, version](const Answer& answer) { OnApiVersions(version, answer); });
}

void BrokerConnection::Renegotiate() {
  assert(up());
  Negotiate(protocol::FindApi(Api::kApiVersions).spoken.highest);
}

void BrokerConnection::OnApiVersions(int16_t version, const Answer& answer) {
  if (answer.end != Answer::End::kAnswered) return;  // going down already
  Result<protocol::ApiVersionsResponse> response =
      answer.body.ok() ? protocol::DecodeApiVersionsResponse(version, answer.body.value()) : answer.body.status();
  if (!response.ok()) {
    Close(response.status().Context("ApiVersions"));
    return;
  }
  memory_.NoteAnswered(address_);
  if (response.value().error_code != protocol::error::kUnsupportedVersion) {
    Adopt(response.Take());
  } else if (version > 0) {
    Negotiate(0);
  } else {
    Adopt(protocol::ListOldestVersions());
  }
}

void BrokerConnection::Adopt(protocol::ApiVersionsResponse versions) {
  broker_versions_ = std::move(versions);
  failures_ = 0;
  if (up()) return;  // it was asked again
  state_ = State::kUp;
  if (on_up) on_up();
}

std::optional<int16_t> BrokerConnection::VersionOf(Api api) const {
  return protocol::Negotiate(api, broker_versions_);
}

bool BrokerConnection::IsIdempotent() const {
  return VersionOf(Api::kInitProducerId) && VersionOf(Api::kProduce).value_or(0) >= 3;
}

protocol::RequestHeader BrokerConnection::NextHeader(Api api) {
  const std::optional<int16_t> version = VersionOf(api);
  assert(version.has_value());
  return {*version, next_correlation_id_, settings_.client_id};
}

void BrokerConnection::Exchange(Api api, Frame frame, AnswerCallback on_answer) {
  Exchange(api, std::move(frame), settings_.request_timeout_ms, std::move(on_answer));
}

void BrokerConnection::Exchange(Api api, Frame frame, int64_t timeout_ms, AnswerCallback on_answer) {
  assert(up());
  Send(api, *VersionOf(api), std::move(frame), timeout_ms + settings_.grace_ms, std::move(on_answer));
}

void BrokerConnection::Send(Api api, int16_t version, Frame frame, int64_t deadline_ms, AnswerCallback on_answer) {
  exchanges_.push_back(
      {api, version, next_correlation_id_++, deadline_ms, std::move(frame), std::move(on_answer)});
  ++requests_;
  if (exchanges_.size() == 1) BeginFront();
  if (++unwritten_ == 1) Write();
}

void BrokerConnection::Write() {
  while (unwritten_ > 0) {
    Frame& frame = exchanges_[exchanges_.size() - unwritten_].frame;
    msghdr message{};
    message.msg_iov = &frame.pieces[piece_];
    message.msg_iovlen = std::min<size_t>(frame.pieces.size() - piece_, IOV_MAX);
    const ssize_t written = ::sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);  // C8
    if (written < 0) {
      if (errno == EAGAIN || errno == EINTR) break;
      closed_by_peer_ = true;
      GoDown(Status::Errno("write"));
      return;
    }
    Advance(static_cast<size_t>(written));
  }
  watcher_->Watch(unwritten_ > 0 ? kReadable | kWritable : kReadable);
}

void BrokerConnection::Advance(size_t written) {
  Frame& frame = exchanges_[exchanges_.size() - unwritten_].frame;
  while (piece_ < frame.pieces.size() && written >= frame.pieces[piece_].iov_len) {
    written -= frame.pieces[piece_++].iov_len;
  }
  if (piece_ == frame.pieces.size()) {
    frame.Release();
    piece_ = 0;
    --unwritten_;
    return;
  }
  iovec& rest = frame.pieces[piece_];
  rest.iov_base = static_cast<std::byte*>(rest.iov_base) + written;
  rest.iov_len -= written;
}

void BrokerConnection::Read() {
  if (input_.size() - input_used_ < kReadSize) input_.resize(input_used_ + kReadSize);
  const ssize_t got = ::recv(fd_, input_.data() + input_used_, input_.size() - input_used_, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    closed_by_peer_ = true;
    GoDown(got == 0 ? Status::Error("the broker closed the connection") : Status::Errno("read"));
    return;
  }
  input_used_ += static_cast<size_t>(got);
  const bool had_room = HasRoom();
  if (TakeAnswers() && !had_room && HasRoom() && on_room) on_room();
}

// False where the connection went down meanwhile.
bool BrokerConnection::TakeAnswers() {
  size_t at = 0;
  while (input_used_ - at >= kFrameSizeBytes) {
    const auto size = LoadBigEndian<int32_t>(input_.data() + at);
    if (size < 4 || static_cast<size_t>(size) > kMaxAnswerBytes) {
      GoDown(Status::Error("an answer of " + std::to_string(size) + " bytes"));
      return false;
    }
    const size_t whole = kFrameSizeBytes + static_cast<size_t>(size);
    if (input_used_ - at < whole) {
      input_.reserve(at + whole + kReadSize);  // memory is taken as bytes come
      break;
    }
    if (!TakeAnswer({input_.data() + at + kFrameSizeBytes, static_cast<size_t>(size)})) return false;
    at += whole;
  }
  std::copy(input_.begin() + static_cast<ptrdiff_t>(at), input_.begin() + static_cast<ptrdiff_t>(input_used_),
            input_.begin());
  input_used_ -= at;
  if (input_used_ < kReadSize) ForgetLargeAnswer();
  return true;
}

void BrokerConnection::ForgetLargeAnswer() {
  if (input_.capacity() <= kKeptInputBytes) return;
  input_.resize(input_used_);
  input_.shrink_to_fit();
}

bool BrokerConnection::TakeAnswer(ByteSpan frame) {
  const Result<int32_t> id = protocol::ReadCorrelationId(frame);
  if (!id.ok() || exchanges_.size() == unwritten_ || id.value() != exchanges_.front().correlation_id) {
    GoDown(Status::Error("an answer to no request of ours"));
    return false;
  }
  Pending answered = std::move(exchanges_.front());
  const int64_t took_ms = MonotonicMs() - front_since_ms_;
  exchanges_.pop_front();
  BeginFront();
  answered.on_answer(
      {Answer::End::kAnswered, protocol::FindResponseBody(answered.api, answered.version, frame), took_ms});
  return fd_ >= 0;
}

// The oldest exchange is the one that the broker serves now.
void BrokerConnection::BeginFront() {
  front_since_ms_ = MonotonicMs();
  if (exchanges_.empty()) {
    deadline_.Stop();
  } else {
    deadline_.StartOnce(exchanges_.front().deadline_ms);
  }
}

void BrokerConnection::OnDeadline() {
  const Status why =
      Status::Error(state_ == State::kConnecting ? "connect: no answer in time" : "no answer in time");
  GoDown(why, Answer::End::kDeadline);
}

void BrokerConnection::Hold(int64_t ms) {
  held_ = true;
  hold_.StartOnce(ms);
}

void BrokerConnection::OnHoldEnd() {
  held_ = false;
  if (HasRoom() && on_room) on_room();
}

void BrokerConnection::Close(const Status& why) { GoDown(why); }

// `front` is what has become of the oldest exchange; those behind it are cut in any case.
void BrokerConnection::GoDown(const Status& why, Answer::End front) {
  if (watcher_ != nullptr) watcher_->Watch(0);
  retired_watcher_ = std::move(watcher_);  // its callback may be the one that runs
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  deadline_.Stop();
  hold_.Stop();
  held_ = false;
  const bool was_idle = up() && exchanges_.empty();  // brokers close such a connection after a while
  const bool refused = closed_by_peer_ || front == Answer::End::kDeadline;
  if (state_ == State::kNegotiating && refused) memory_.NoteRefused(address_, negotiation_, answered_probe_);
  if (state_ == State::kUp && negotiation_ == Negotiation::kOldest) memory_.NoteEnd(address_);
  state_ = State::kDown;
  input_used_ = 0;
  unwritten_ = 0;
  piece_ = 0;
  if (!was_idle) ++failures_;
  not_before_ms_ = MonotonicMs() + ChooseDelayMs(kConnectionBackoff, std::max(1u, failures_), random_());
  std::deque<Pending> cut;
  cut.swap(exchanges_);
  Answer answer{front, why, MonotonicMs() - front_since_ms_};
  for (Pending& exchange : cut) {
    exchange.on_answer(answer);
    answer.end = Answer::End::kCut;
  }
  if (on_down) on_down(why);
}

}  // namespace dory::kafka
