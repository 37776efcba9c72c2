// The SASL conversation on a connection: the handshake about the mechanism, then tokens until both sides
// are content (KIP-43, KIP-152); the same again before the session ends (KIP-368).
//
// Owner: BrokerConnection, which sends nothing else meanwhile.
// Errors: the conversation ends once, with how long the session lasts or with what failed.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/config.h"
#include "common/event_loop.h"
#include "common/status.h"
#include "kafka_worker/answer.h"
#include "kafka_worker/frame.h"
#include "kafka_worker/off_loop.h"
#include "kafka_worker/protocol/request_header.h"
#include "kafka_worker/sasl_client.h"

namespace dory::kafka {

// The connection, as far as this needs it.
class SaslLine {
 public:
  virtual std::optional<int16_t> VersionOf(protocol::Api api) const = 0;
  virtual protocol::RequestHeader NextHeader(protocol::Api api, int16_t version) = 0;
  virtual void Ask(protocol::Api api, int16_t version, Frame frame, AnswerCallback on_answer) = 0;
  // A frame without headers, whose answer has none either.
  virtual void AskBare(Frame frame, AnswerCallback on_answer) = 0;

 protected:
  ~SaslLine() = default;
};

class Authenticator {
 public:
  // 0 ms: the session has no end.
  using EndCallback = std::function<void(Result<int64_t> lifetime_ms)>;

  Authenticator(EventLoop& loop, const SaslConfig& config, std::string host, SaslLine& line, EndCallback on_end);

  // REQUIRES: none is under way on this connection. May end before it returns.
  void Begin();
  // The connection is down.
  void Cancel();

  // Whether the last one ended by the broker's word that it does not want us.
  bool refused() const { return refused_; }

 private:
  void OnHandshake(int16_t version, const Answer& answer);
  void MakeToken(ByteSpan challenge);
  void SendToken(const Result<Secret>& token);
  void OnToken(int16_t version, const Answer& answer);
  void OnBareToken(const Answer& answer);
  void GoOn(ByteSpan challenge, int64_t lifetime_ms);
  void Refuse(int16_t code, std::string_view more);
  void Fail(const Status& why);

  EventLoop& loop_;
  const SaslConfig& config_;
  std::string host_;
  SaslLine& line_;
  EndCallback on_end_;
  std::shared_ptr<SaslClient> client_;  // while it is under way
  std::unique_ptr<OffLoop<Result<Secret>>> off_loop_;
  std::optional<int16_t> token_version_;  // none: tokens travel bare
  int64_t lifetime_ms_ = 0;               // as the broker said last
  bool refused_ = false;
};

}  // namespace dory::kafka
