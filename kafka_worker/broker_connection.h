// One connection to one broker: connect (connector.h), negotiate versions, say who we are
// (authenticator.h), exchange requests for answers over whatever carries the bytes (transport.h).
//
// Owner: Cluster. Everything is non-blocking and driven by the event loop.
// Order: a broker answers one connection's requests in the order in which it got them, and serves one
//   at a time: a request's deadline counts from when the one before it was answered.
//   An answer is taken for the oldest request that is wholly written, and only with its number; a
//   connection whose answer does not come in time is closed, so that a late one has nowhere to arrive.
// Errors: each exchange's callback is called exactly once: with the answer's body, or with why there is
//   none (cut connection, deadline, an answer that can't be parsed), and then the connection is down.
//   A connection that goes down forgets what it had not written: no write refers to any record after it.

#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "common/bytes.h"
#include "common/event_loop.h"
#include "common/status.h"
#include "common/units.h"
#include "kafka_worker/answer.h"
#include "kafka_worker/answer_input.h"
#include "kafka_worker/authenticator.h"
#include "kafka_worker/connector.h"
#include "kafka_worker/frame.h"
#include "kafka_worker/negotiation.h"
#include "kafka_worker/protocol/api_versions.h"
#include "kafka_worker/protocol/versions.h"

namespace dory::kafka {

inline constexpr int64_t kDeadlineGraceMs = 5000;
inline constexpr int64_t kVersionsDeadlineMs = 2000;  // brokers answer ApiVersions at once
inline constexpr int32_t kLongestThrottleMs = 300'000;  // quotas ask for seconds; more is no broker's wish
inline constexpr size_t kMaxExchanges = 5;  // on their way, a connection
// What a broken or hostile broker can make us take: an answer, and what is kept of it, below 40 MB together
// (doc/decisions/0015-what-an-answer-may-cost.md). A partition in metadata with three replicas has 50 bytes: there is
// room for 335,000 of the topics in use.
inline constexpr size_t kMaxAnswerBytes = 16u << 20;
inline constexpr size_t kMaxInputBytes = kMaxAnswerBytes + (1u << 20);  // of all connections

struct ConnectionSettings {
  std::string client_id;
  int64_t request_timeout_ms;  // the broker's; our own deadline comes so much later:
  int64_t grace_ms = kDeadlineGraceMs;
  TlsContext* tls = nullptr;  // none: without TLS
  const SaslConfig* sasl = nullptr;  // none: without SASL
  std::shared_ptr<AnswerInput> input = std::make_shared<AnswerInput>(kMaxInputBytes);
};

class BrokerConnection : private SaslLine {
 public:
  enum class State { kDown, kConnecting, kNegotiating, kAuthenticating, kUp };

  // At most `most_exchanges` requests are on their way at a time. `memory` outlives it.
  BrokerConnection(EventLoop& loop, const ConnectionSettings& settings, NegotiationMemory& memory,
                   HostPort address, size_t most_exchanges = kMaxExchanges);
  ~BrokerConnection();

  // Connects unless it does already, is up, or waits after a failure.
  void Connect(int64_t now_ms);

  State state() const { return state_; }
  bool up() const { return state_ == State::kUp; }
  bool HasRoom() const { return up() && exchanges_.size() < most_exchanges_ && !held_ && !authenticating_; }
  // The broker is to be spared for a while.
  bool held() const { return held_; }
  int64_t held_until_ms() const { return held_until_ms_; }
  bool in_backoff(int64_t now_ms) const { return state_ == State::kDown && now_ms < not_before_ms(); }
  int64_t not_before_ms() const { return std::max(not_before_ms_, held_until_ms_); }
  // In a row; each makes the back-off longer. That a connection was closed while idle is none.
  uint32_t failures() const { return failures_; }

  // For the next of several addresses that stand for the same thing.
  void InheritFailures(uint32_t failures) { failures_ = failures; }
  size_t in_flight() const { return exchanges_.size(); }
  uint64_t requests() const { return requests_; }
  // Why the broker, reached, did not let it come up; empty once it is.
  const std::string& trouble() const { return trouble_; }
  // Whether the last attempt, or the last session, ended by a definite word about TLS or SASL.
  bool refused() const { return refused_; }
  const HostPort& address() const { return address_; }

  // The version in which both speak `api`; none where there is none. REQUIRES: up().
  std::optional<int16_t> VersionOf(protocol::Api api) const override { return common_versions_.Choose(api); }
  // Likewise, the newest up to `newest`.
  std::optional<int16_t> VersionOf(protocol::Api api, int16_t newest) const {
    return common_versions_.Choose(api, newest);
  }

  // Whether it has the idempotent producer: Kafka 0.11 and newer. REQUIRES: up().
  bool IsIdempotent() const;

  // The cluster that its broker is of, once the broker has said so; empty: it said that it has none. Forgotten
  // when the connection goes down: at the same address may then be another one.
  const std::optional<std::string>& cluster_id() const { return cluster_id_; }
  void NoteClusterId(std::string id) { cluster_id_ = std::move(id); }

  // The header for the next request. REQUIRES: up(), and the broker speaks `api`, and in that version.
  protocol::RequestHeader NextHeader(protocol::Api api);
  protocol::RequestHeader NextHeader(protocol::Api api, int16_t version) override;

  // Writes the frame (whose header was the last NextHeader) and calls back with its answer, which the
  // broker has `timeout_ms` to give, by default the settings'. `version` is the header's, by default the newest.
  // REQUIRES: up(). `on_answer` may be called before this returns.
  void Exchange(protocol::Api api, Frame frame, AnswerCallback on_answer);
  void Exchange(protocol::Api api, Frame frame, int64_t timeout_ms, AnswerCallback on_answer);
  void Exchange(protocol::Api api, int16_t version, Frame frame, int64_t timeout_ms, AnswerCallback on_answer);

  // Asks for its versions again, behind what is on its way. REQUIRES: up().
  void Renegotiate();

  // Each answer's throttle time, in the version of its request, 0 where there is none: the broker is spared
  // for as long, and has so much more time for what is on its way.
  void NoteThrottle(protocol::Api api, int16_t version, int32_t told_ms);

  // No room, and no new connection, for that long: the broker asked to be spared.
  void Hold(int64_t ms);

  // Ends it; the exchanges under way are told `why`.
  void Close(const Status& why);

  // Called when it comes up, and when it goes down (after the exchanges' callbacks).
  std::function<void()> on_up;
  std::function<void(const Status& why)> on_down;
  // Called when there is room for another exchange again.
  std::function<void()> on_room;
  // Called when the broker asked to be spared; this connection is held already.
  std::function<void(int64_t ms)> on_throttle;

 private:
  struct Pending {
    protocol::Api api;
    int16_t version;
    int32_t correlation_id;
    int64_t deadline_ms;  // since the broker could begin with it
    Frame frame;
    AnswerCallback on_answer;
  };

  void OnConnectorEnd(Result<std::unique_ptr<Transport>> end);
  void OnSocket(int directions);
  void Watch();
  void BeginNegotiation();
  void SendProbe();
  void Negotiate(int16_t version);
  void OnApiVersions(int16_t version, const Answer& answer);
  void Adopt(const protocol::ApiVersionsResponse& versions);
  void BecomeUp();
  void Authenticate();
  void OnAuthenticated(const Result<int64_t>& lifetime_ms);
  void Ask(protocol::Api api, int16_t version, Frame frame, AnswerCallback on_answer) override;
  void AskBare(Frame frame, AnswerCallback on_answer) override;
  void Enqueue(Pending exchange);
  void Send(protocol::Api api, int16_t version, Frame frame, int64_t deadline_ms, AnswerCallback on_answer);
  void Write();
  void Advance(size_t written);
  void OnBroken(const Status& why);
  void Read();
  bool ReadAnswers();
  bool TakeAnswers();
  bool TakeAnswer(ByteSpan frame);
  bool NoteInput();
  void BorrowInput();
  void GiveInputBack();
  void ForgetLargeAnswer();
  void ForgetInput();
  void BeginFront();
  void OnDeadline();
  void OnHoldEnd();
  void GoDown(const Status& why, Answer::End front = Answer::End::kCut);

  EventLoop& loop_;
  const ConnectionSettings& settings_;
  NegotiationMemory& memory_;
  HostPort address_;
  size_t most_exchanges_;
  State state_ = State::kDown;
  std::string trouble_;
  bool refused_ = false;
  Connector connector_;
  std::unique_ptr<Transport> transport_;  // from when it is negotiating on
  std::unique_ptr<IoWatcher> watcher_;
  std::unique_ptr<IoWatcher> retired_watcher_;
  Timer deadline_;
  Timer hold_;
  Timer session_end_;
  bool held_ = false;
  int64_t held_until_ms_ = 0;
  int64_t muted_until_ms_ = 0;  // the broker looks at no request before
  int64_t late_ms_ = 0;         // how late its answers come while it throttles us, if it is that old
  Negotiation negotiation_ = Negotiation::kAsk;
  bool answered_probe_ = false;
  bool closed_by_peer_ = false;
  std::unique_ptr<Authenticator> authenticator_;  // null: without SASL
  bool authenticating_ = false;
  protocol::CommonVersions common_versions_;
  std::optional<std::string> cluster_id_;
  int32_t next_correlation_id_ = 1;
  std::deque<Pending> exchanges_;  // oldest first
  int64_t front_since_ms_ = 0;     // when the broker could begin with the oldest
  size_t unwritten_ = 0;           // how many of the newest are not wholly written
  size_t piece_ = 0;               // of the oldest of those: the piece to go on with
  InputBuffer input_;
  size_t input_used_ = 0;
  bool reading_ = false;
  uint32_t failures_ = 0;
  int64_t not_before_ms_ = 0;
  uint64_t requests_ = 0;
  std::minstd_rand random_;
};

}  // namespace dory::kafka
