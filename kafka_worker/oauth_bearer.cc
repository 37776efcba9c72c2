#include "kafka_worker/oauth_bearer.h"

#include <utility>
#include <vector>

#include "kafka_worker/secret_command.h"

namespace dory::kafka {
namespace {

constexpr std::string_view kBeforeToken = "n,,\x01" "auth=Bearer ";
constexpr std::string_view kBehindToken = "\x01\x01";
constexpr std::string_view kUnderstood = "\x01";

}  // namespace

Result<Secret> OauthBearer::Next(ByteSpan challenge) {
  if (!challenge.empty()) return Secret(AsBytes(kUnderstood));
  done_ = std::exchange(sent_, true);
  if (done_) return Secret();
  if (!command_.empty()) {
    Result<Secret> token = RunSecretCommand(command_);
    if (!token.ok()) return token.status().Context("[sasl] token_command");
    token_ = token.Take();
  }
  std::vector<std::byte> message;
  message.reserve(kBeforeToken.size() + token_.bytes().size() + kBehindToken.size());
  for (const ByteSpan part : {AsBytes(kBeforeToken), token_.bytes(), AsBytes(kBehindToken)}) {
    message.insert(message.end(), part.begin(), part.end());
  }
  Secret secret{ByteSpan(message)};
  Wipe(message);
  return secret;
}

}  // namespace dory::kafka
