// Our side of a SASL conversation: tokens for a broker, one after the other.
//
// PLAIN, SCRAM and GSSAPI come from Cyrus SASL, the only place that names it; OAUTHBEARER is a few bytes
// around a token from a file or a command. Secrets are read from their files when a client is made, and wiped with it.
// Errors: what the library or the file says, never a secret.

#pragma once

#include <memory>
#include <string>

#include "common/config.h"
#include "kafka_worker/secret.h"

namespace dory::kafka {

class SaslClient {
 public:
  virtual ~SaslClient() = default;

  // For a conversation with the broker at `host`.
  static Result<std::unique_ptr<SaslClient>> Make(const SaslConfig& config, const std::string& host);

  // The next token, an answer to `challenge`, which is empty in the first call. It may be empty.
  // REQUIRES: not done().
  virtual Result<Secret> Next(ByteSpan challenge) = 0;

  // Whether nothing is left to be said by us, so that the broker's word is awaited, or has come.
  bool done() const { return done_; }

  // Whether Next may wait for a server, of names or of the mechanism's own; it may then be called by another
  // thread.
  virtual bool may_block() const { return false; }

 protected:
  bool done_ = false;
};

// As Kafka spells it.
const char* NameMechanism(SaslMechanism mechanism);

}  // namespace dory::kafka
