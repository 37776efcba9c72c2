#include "kafka_worker/authenticator.h"

#include "common/text_check.h"
#include "kafka_worker/protocol/error_codes.h"
#include "kafka_worker/protocol/sasl.h"

namespace dory::kafka {
namespace {

using protocol::Api;

std::string JoinNames(const std::vector<std::string>& names) {
  std::string joined;
  for (const std::string& name : names) joined += (joined.empty() ? "" : ", ") + name;
  return joined.empty() ? "none" : joined;
}

Frame SecretFrame(protocol::Bytes bytes) {
  Frame frame = Frame::Of(std::move(bytes));
  frame.secret = true;
  return frame;
}

}  // namespace

Authenticator::Authenticator(EventLoop& loop, const SaslConfig& config, std::string host, SaslLine& line,
                             EndCallback on_end)
    : loop_(loop), config_(config), host_(std::move(host)), line_(line), on_end_(std::move(on_end)) {}

void Authenticator::Begin() {
  refused_ = false;
  Result<std::unique_ptr<SaslClient>> client = SaslClient::Make(config_, host_);
  if (!client.ok()) return Fail(client.status());
  client_ = client.Take();
  WipeStackBelow();
  token_version_ = line_.VersionOf(Api::kSaslAuthenticate);
  if (!line_.VersionOf(Api::kSaslHandshake)) return MakeToken({});  // 0.9: the listener has one mechanism
  const int16_t version = token_version_ ? 1 : 0;
  const protocol::RequestHeader header = line_.NextHeader(Api::kSaslHandshake, version);
  line_.Ask(Api::kSaslHandshake, version,
            Frame::Of(protocol::EncodeSaslHandshakeRequest(header, NameMechanism(config_.mechanism))),
            [this, version](const Answer& answer) { OnHandshake(version, answer); });
}

void Authenticator::OnHandshake(int16_t version, const Answer& answer) {
  if (answer.end != Answer::End::kAnswered) return client_.reset();  // going down already
  Result<protocol::SaslHandshakeResponse> response =
      answer.body.ok() ? protocol::DecodeSaslHandshakeResponse(version, answer.body.value()) : answer.body.status();
  if (!response.ok()) return Fail(response.status());
  if (response.value().error_code != protocol::error::kNone) {
    return Refuse(response.value().error_code,
                  "; the broker has enabled: " + Quote(JoinNames(response.value().mechanisms)));
  }
  MakeToken({});
}

// Where that may wait for a server it is done off the loop, which goes on.
void Authenticator::MakeToken(ByteSpan challenge) {
  if (!client_->may_block()) {
    SendToken(client_->Next(challenge));
    WipeStackBelow();  // once more: what Next has left where SendToken's own variables were
    return;
  }
  if (off_loop_ == nullptr) {
    off_loop_ = std::make_unique<OffLoop<Result<Secret>>>(loop_, [this](const Result<Secret>& token) {
      if (client_ != nullptr) SendToken(token);
    });
  }
  const Status status = off_loop_->Start(
      [client = client_, asked = std::vector<std::byte>(challenge.begin(), challenge.end())] {
        Result<Secret> token = client->Next(asked);
        WipeStackBelow();
        return token;
      });
  if (!status.ok()) Fail(status);
}

// What is still being made is nobody's then.
void Authenticator::Cancel() {
  client_.reset();
  if (off_loop_ != nullptr && off_loop_->running()) off_loop_.reset();
}

void Authenticator::SendToken(const Result<Secret>& token) {
  if (!token.ok()) return Fail(token.status());
  if (client_->done() && token.value().empty()) {  // that was the broker's last word
    client_.reset();
    return on_end_(lifetime_ms_);
  }
  const ByteSpan bytes = token.value().bytes();
  if (!token_version_) {
    line_.AskBare(SecretFrame(protocol::EncodeBareToken(bytes)), [this](const Answer& answer) { OnBareToken(answer); });
  } else {
    const int16_t version = *token_version_;
    const protocol::RequestHeader header = line_.NextHeader(Api::kSaslAuthenticate, version);
    line_.Ask(Api::kSaslAuthenticate, version, SecretFrame(protocol::EncodeSaslAuthenticateRequest(header, bytes)),
              [this, version](const Answer& answer) { OnToken(version, answer); });
  }
  WipeStackBelow();
}

void Authenticator::OnToken(int16_t version, const Answer& answer) {
  if (answer.end != Answer::End::kAnswered) return client_.reset();
  Result<protocol::SaslAuthenticateResponse> response =
      answer.body.ok() ? protocol::DecodeSaslAuthenticateResponse(version, answer.body.value()) : answer.body.status();
  if (!response.ok()) return Fail(response.status());
  const protocol::SaslAuthenticateResponse& said = response.value();
  if (said.error_code != protocol::error::kNone) {
    return Refuse(said.error_code, said.error_message.empty() ? "" : ": " + Quote(said.error_message));
  }
  GoOn(said.token, said.session_lifetime_ms);
}

void Authenticator::OnBareToken(const Answer& answer) {
  if (answer.end != Answer::End::kAnswered) return client_.reset();
  GoOn(answer.body.value(), 0);
}

void Authenticator::GoOn(ByteSpan challenge, int64_t lifetime_ms) {
  lifetime_ms_ = lifetime_ms;
  if (!client_->done()) return MakeToken(challenge);
  client_.reset();
  on_end_(lifetime_ms);
}

void Authenticator::Refuse(int16_t code, std::string_view more) {
  const protocol::ErrorCode& error = protocol::FindErrorCode(code);
  refused_ = error.action == protocol::Action::kAuthorization;
  Fail(Status::Error(std::string(error.name) + std::string(more)));
}

void Authenticator::Fail(const Status& why) {
  client_.reset();
  on_end_(why.Context(std::string("SASL ") + NameMechanism(config_.mechanism)));
}

}  // namespace dory::kafka
