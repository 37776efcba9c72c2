#include "kafka_worker/broker_connection.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "common/clock.h"
#include "common/log.h"
#include "kafka_worker/backoff.h"
#include "kafka_worker/protocol/error_codes.h"
#include "kafka_worker/protocol/list_offsets.h"

namespace dory::kafka {
namespace {

using protocol::Api;

constexpr size_t kReadSize = 256 * 1024;
constexpr size_t kKeptInputBytes = 1 << 20;
constexpr int64_t kShortestSessionMs = 1100;
constexpr int32_t kBare = -1;  // the correlation id of what has none
constexpr size_t kFrameSizeBytes = protocol::kFrameSizeBytes;

// What a listener with TLS answers to who speaks none: an alert, and then the connection is closed.
bool IsTlsAlert(ByteSpan input) {
  return input.size() >= 2 && input[0] == std::byte{0x15} && input[1] == std::byte{0x03};
}

}  // namespace

BrokerConnection::BrokerConnection(EventLoop& loop, const ConnectionSettings& settings,
                                   NegotiationMemory& memory, HostPort address, size_t most_exchanges)
    : loop_(loop),
      settings_(settings),
      memory_(memory),
      address_(std::move(address)),
      most_exchanges_(most_exchanges),
      connector_(loop, address_, settings.tls,
                 [this](Result<std::unique_ptr<Transport>> end) { OnConnectorEnd(std::move(end)); }),
      deadline_(loop, [this] { OnDeadline(); }),
      hold_(loop, [this] { OnHoldEnd(); }),
      session_end_(loop, [this] { Authenticate(); }),
      random_(std::random_device{}()) {
  if (settings.sasl == nullptr) return;
  authenticator_ = std::make_unique<Authenticator>(
      loop_, *settings.sasl, address_.host, static_cast<SaslLine&>(*this), [this](const Result<int64_t>& lifetime) { OnAuthenticated(lifetime); });
}

BrokerConnection::~BrokerConnection() {
  (void)settings_.input->Note(this, 0);
  if (watcher_ != nullptr) watcher_->Watch(0);
}

void BrokerConnection::Connect(int64_t now_ms) {
  if (state_ != State::kDown || in_backoff(now_ms)) return;
  state_ = State::kConnecting;
  closed_by_peer_ = refused_ = false;
  connector_.Start();
}

void BrokerConnection::OnConnectorEnd(Result<std::unique_ptr<Transport>> end) {
  if (!end.ok()) {
    if (connector_.reached_broker()) trouble_ = end.status().message();
    refused_ = connector_.refused();
    GoDown(end.status());
    return;
  }
  transport_ = end.Take();
  watcher_ = std::make_unique<IoWatcher>(loop_, transport_->fd(), [this](int directions) { OnSocket(directions); });
  Watch();
  state_ = State::kNegotiating;
  BeginNegotiation();
}

void BrokerConnection::OnSocket(int directions) {
  if ((directions & transport_->read_waits_for()) != 0) Read();
  if (transport_ != nullptr && (directions & transport_->write_waits_for()) != 0) Write();
}

void BrokerConnection::Watch() {
  watcher_->Watch(transport_->read_waits_for() | (unwritten_ > 0 ? transport_->write_waits_for() : 0));
}

void BrokerConnection::BeginNegotiation() {
  // A listener with SASL is never so old, and answers no probe before it knows who we are.
  negotiation_ = authenticator_ == nullptr ? memory_.Choose(address_) : Negotiation::kAsk;
  answered_probe_ = false;
  if (negotiation_ == Negotiation::kOldest) {
    Adopt(protocol::ListOldestVersions());
    return;
  }
  if (negotiation_ == Negotiation::kProbe) SendProbe();
  if (transport_ != nullptr) Negotiate(protocol::FindApi(Api::kApiVersions).spoken.highest);
}

void BrokerConnection::SendProbe() {
  const protocol::RequestHeader header{0, next_correlation_id_, settings_.client_id};
  Send(Api::kListOffsets, 0, Frame::Of(protocol::EncodeListOffsetsRequest(header, {})),
       settings_.request_timeout_ms + settings_.grace_ms, [this](const Answer& answer) {
         answered_probe_ = answer.body.ok() && protocol::DecodeListOffsetsResponse(0, answer.body.value()).ok();
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
  NoteThrottle(Api::kApiVersions, version, response.value().throttle_time_ms);
  if (response.value().error_code != protocol::error::kUnsupportedVersion) {
    Adopt(response.value());
  } else if (version > 0) {
    const int16_t offered = protocol::CommonVersions(response.value()).Choose(Api::kApiVersions).value_or(0);
    Negotiate(offered < version ? offered : int16_t{0});
  } else {
    Adopt(protocol::ListOldestVersions());
  }
}

void BrokerConnection::Adopt(const protocol::ApiVersionsResponse& versions) {
  common_versions_ = protocol::CommonVersions(versions);
  if (up()) return;  // it was asked again
  if (authenticator_ != nullptr) return Authenticate();
  BecomeUp();
}

void BrokerConnection::BecomeUp() {
  failures_ = 0;
  state_ = State::kUp;
  trouble_.clear();
  if (on_up) on_up();
}

// At first, and whenever the session is about to end: then behind what is on its way, and nothing follows
// until it is through.
void BrokerConnection::Authenticate() {
  if (state_ == State::kNegotiating) state_ = State::kAuthenticating;
  authenticating_ = true;
  authenticator_->Begin();
}

// Between 0.85 and 0.95 of the session, as Kafka's own clients; brokers refuse it within the first second.
void BrokerConnection::OnAuthenticated(const Result<int64_t>& lifetime_ms) {
  if (!lifetime_ms.ok()) {
    if (up()) trouble_ = lifetime_ms.status().message();
    refused_ = authenticator_->refused();
    return GoDown(lifetime_ms.status());
  }
  authenticating_ = false;
  if (const int64_t ms = lifetime_ms.value(); ms > 0) {
    const auto percent = 85 + static_cast<int64_t>(random_() % 11);
    session_end_.StartOnce(std::max(ms / 100 * percent, kShortestSessionMs));
    LogDebug("{}: authenticated for {} ms", FormatHostPort(address_), ms);
  }
  if (!up()) return BecomeUp();
  if (HasRoom() && on_room) on_room();
}

protocol::RequestHeader BrokerConnection::NextHeader(Api, int16_t version) {
  return {version, next_correlation_id_, settings_.client_id};
}

void BrokerConnection::Ask(Api api, int16_t version, Frame frame, AnswerCallback on_answer) {
  Send(api, version, std::move(frame), settings_.request_timeout_ms + settings_.grace_ms, std::move(on_answer));
}

void BrokerConnection::AskBare(Frame frame, AnswerCallback on_answer) {
  Enqueue({Api::kSaslAuthenticate, 0, kBare, settings_.request_timeout_ms + settings_.grace_ms, std::move(frame),
           std::move(on_answer)});
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
  Exchange(api, *VersionOf(api), std::move(frame), timeout_ms, std::move(on_answer));
}

void BrokerConnection::Exchange(Api api, int16_t version, Frame frame, int64_t timeout_ms, AnswerCallback on_answer) {
  assert(up());
  Send(api, version, std::move(frame), timeout_ms + settings_.grace_ms, std::move(on_answer));
}

void BrokerConnection::Send(Api api, int16_t version, Frame frame, int64_t deadline_ms, AnswerCallback on_answer) {
  Enqueue({api, version, next_correlation_id_++, deadline_ms, std::move(frame), std::move(on_answer)});
}

void BrokerConnection::Enqueue(Pending exchange) {
  exchanges_.push_back(std::move(exchange));
  ++requests_;
  if (exchanges_.size() == 1) BeginFront();
  if (++unwritten_ == 1) Write();
}

void BrokerConnection::Write() {
  while (unwritten_ > 0) {
    const Frame& frame = exchanges_[exchanges_.size() - unwritten_].frame;
    const Result<size_t> written = transport_->Write(std::span(frame.pieces).subspan(piece_));
    if (!written.ok()) return OnBroken(written.status());
    if (written.value() == 0) break;
    Advance(written.value());
  }
  Watch();
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

// With TLS 1.3 what a broker says of our certificate comes behind the handshake.
void BrokerConnection::OnBroken(const Status& why) {
  closed_by_peer_ = true;
  refused_ = !up() && transport_->refused();
  GoDown(why);
}

void BrokerConnection::Read() {
  const bool had_room = HasRoom();
  reading_ = true;
  BorrowInput();
  const bool goes_on = ReadAnswers();
  reading_ = false;
  GiveInputBack();
  if (!goes_on) return ForgetInput();
  Watch();
  if (!had_room && HasRoom() && on_room) on_room();
}

// False where the connection went down meanwhile.
bool BrokerConnection::ReadAnswers() {
  do {
    if (input_.size() - input_used_ < kReadSize) input_.resize(input_used_ + kReadSize);
    const Result<size_t> got = transport_->Read(std::span(input_).subspan(input_used_));
    if (!got.ok()) {
      OnBroken(got.status());
      return false;
    }
    if (got.value() == 0) return true;
    input_used_ += got.value();
    if (!TakeAnswers() || !NoteInput()) return false;
  } while (transport_->HoldsInput());
  return true;
}

// False where the connection went down meanwhile.
bool BrokerConnection::TakeAnswers() {
  size_t at = 0;
  while (input_used_ - at >= kFrameSizeBytes) {
    const auto size = LoadBigEndian<int32_t>(input_.data() + at);
    if (!up() && settings_.tls == nullptr && IsTlsAlert(input_)) {
      GoDown(Status::Error("it answers with TLS, [kafka] security_protocol is one without"));
      return false;
    }
    const int32_t least = !exchanges_.empty() && exchanges_.front().correlation_id == kBare ? 0 : 4;
    if (size < least || static_cast<size_t>(size) > kMaxAnswerBytes) {
      // It was answered: what asks for too much would not get it from another connection either.
      const bool answers = up() && !authenticating_ && exchanges_.size() > unwritten_;
      GoDown(Status::Error("an answer of " + std::to_string(size) + " bytes"),
             answers ? Answer::End::kAnswered : Answer::End::kCut);
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
  if (at > 0) {  // what has come of a large answer stays where it is
    std::copy(input_.begin() + static_cast<ptrdiff_t>(at), input_.begin() + static_cast<ptrdiff_t>(input_used_),
              input_.begin());
    input_used_ -= at;
  }
  if (input_used_ < kReadSize) ForgetLargeAnswer();
  return true;
}

// False where the connection went down.
bool BrokerConnection::NoteInput() {
  BrokerConnection* const most = settings_.input->Note(this, input_used_);
  if (most != nullptr) most->GoDown(Status::Error("an answer that is not whole, of too many bytes beside others"));
  return transport_ != nullptr;
}

void BrokerConnection::BorrowInput() {
  if (input_.empty()) input_.swap(settings_.input->spare);
}

// What has come of an answer stays, in as much memory as it needs where that is little.
void BrokerConnection::GiveInputBack() {
  if (input_used_ >= kReadSize) return;
  InputBuffer rest(input_.begin(), input_.begin() + static_cast<ptrdiff_t>(input_used_));
  input_.swap(rest);
  settings_.input->spare.swap(rest);
}

void BrokerConnection::ForgetLargeAnswer() {
  if (input_.capacity() <= kKeptInputBytes) return;
  input_.resize(input_used_);
  input_.shrink_to_fit();
}

// Of one that is down, of which there may be many.
void BrokerConnection::ForgetInput() {
  (void)settings_.input->Note(this, 0);
  input_used_ = 0;
  input_.clear();
  input_.shrink_to_fit();
}

bool BrokerConnection::TakeAnswer(ByteSpan frame) {
  const bool bare = !exchanges_.empty() && exchanges_.front().correlation_id == kBare;
  const Result<int32_t> id = bare ? Result<int32_t>(kBare) : protocol::ReadCorrelationId(frame);
  if (!id.ok() || exchanges_.size() == unwritten_ || id.value() != exchanges_.front().correlation_id) {
    GoDown(Status::Error("an answer to no request of ours"));
    return false;
  }
  Pending answered = std::move(exchanges_.front());
  const int64_t took_ms = std::max<int64_t>(0, MonotonicMs() - front_since_ms_);
  exchanges_.pop_front();
  BeginFront();
  answered.on_answer({Answer::End::kAnswered,
                      bare ? frame : protocol::FindResponseBody(answered.api, answered.version, frame), took_ms});
  return transport_ != nullptr;
}

// The oldest exchange is the one that the broker serves now, or when it listens again.
void BrokerConnection::BeginFront() {
  const int64_t now = MonotonicMs();
  front_since_ms_ = std::max(now, muted_until_ms_);
  if (exchanges_.empty()) {
    deadline_.Stop();
  } else {
    deadline_.StartOnce(front_since_ms_ - now + exchanges_.front().deadline_ms + late_ms_);
  }
}

void BrokerConnection::OnDeadline() {
  GoDown(Status::Error("no answer in time"), Answer::End::kDeadline);
}

void BrokerConnection::NoteThrottle(Api api, int16_t version, int32_t told_ms) {
  const int32_t ms = std::min(told_ms, kLongestThrottleMs);
  const bool spared = protocol::IsSparedAfterAnswer(api, version);
  if (spared && ms <= 0) return;
  if (spared) muted_until_ms_ = MonotonicMs() + ms;
  if (!spared) late_ms_ = std::max(ms, 0);
  BeginFront();
  if (!spared) return;
  Hold(ms);
  if (on_throttle) on_throttle(ms);
}

void BrokerConnection::Hold(int64_t ms) {
  const int64_t now = MonotonicMs();
  held_ = true;
  held_until_ms_ = std::max(held_until_ms_, now + ms);
  hold_.StartOnce(held_until_ms_ - now);
}

void BrokerConnection::OnHoldEnd() {
  held_ = false;
  if (HasRoom() && on_room) on_room();
}

void BrokerConnection::Close(const Status& why) {
  if (state_ != State::kDown) GoDown(why);
}

// `front` is what has become of the oldest exchange; those behind it are cut in any case.
void BrokerConnection::GoDown(const Status& why, Answer::End front) {
  if (watcher_ != nullptr) watcher_->Watch(0);
  retired_watcher_ = std::move(watcher_);  // its callback may be the one that runs
  transport_.reset();
  connector_.Cancel();
  deadline_.Stop();
  session_end_.Stop();
  if (authenticator_ != nullptr) authenticator_->Cancel();
  muted_until_ms_ = 0;
  // Brokers close such a connection after a while.
  const bool was_idle = up() && exchanges_.empty() && !authenticating_;
  authenticating_ = false;
  if (state_ == State::kNegotiating || state_ == State::kAuthenticating) trouble_ = why.message();
  const bool refused = closed_by_peer_ || front == Answer::End::kDeadline;
  if (state_ == State::kNegotiating && refused) memory_.NoteRefused(address_, negotiation_, answered_probe_);
  if (state_ == State::kUp && negotiation_ == Negotiation::kOldest) memory_.NoteEnd(address_);
  state_ = State::kDown;
  cluster_id_.reset();
  input_used_ = 0;
  if (!reading_) ForgetInput();  // who reads an answer in it may be the one who closed it
  unwritten_ = 0;
  piece_ = 0;
  if (!was_idle) ++failures_;
  not_before_ms_ = MonotonicMs() + ChooseDelayMs(kConnectionBackoff, std::max(1u, failures_), random_());
  std::deque<Pending> cut;
  cut.swap(exchanges_);
  Answer answer{front, why, std::max<int64_t>(0, MonotonicMs() - front_since_ms_)};
  for (Pending& exchange : cut) {
    exchange.frame.Release();
    exchange.on_answer(answer);
    answer.end = Answer::End::kCut;
  }
  if (on_down) on_down(why);
}

}  // namespace dory::kafka
