// OAUTHBEARER (RFC 7628): one message with a token. A broker that refuses it says so in a challenge,
// to which a single byte is the answer, and then ends the conversation.

#pragma once

#include <string>

#include "kafka_worker/sasl_client.h"

namespace dory::kafka {

class OauthBearer : public SaslClient {
 public:
  explicit OauthBearer(Secret token) : token_(std::move(token)) {}
  // The token is what `command` prints.
  explicit OauthBearer(std::string command) : command_(std::move(command)) {}

  bool may_block() const override { return !command_.empty() && !sent_; }

  Result<Secret> Next(ByteSpan challenge) override;

 private:
  Secret token_;
  std::string command_;
  bool sent_ = false;
};

}  // namespace dory::kafka
