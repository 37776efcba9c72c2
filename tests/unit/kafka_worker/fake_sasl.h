// What a FakeBroker with SASL says: it has one mechanism, and takes whoever comes, or nobody.

#pragma once

#include <cstdint>
#include <optional>

#include "kafka_worker/protocol/versions.h"
#include "kafka_worker/protocol/wire.h"

namespace dory::kafka {

// Nothing where it is another request. `code` is the answer to a token.
inline void PutFakeSasl(protocol::Api api, int16_t version, std::optional<int16_t> code, protocol::Writer* writer) {
  if (api == protocol::Api::kSaslHandshake) {
    writer->Put<int16_t>(0);
    writer->PutArrayCount(1);
    writer->PutString("OAUTHBEARER");
  } else if (api == protocol::Api::kSaslAuthenticate) {
    writer->Put<int16_t>(code.value_or(0));
    writer->PutNullableString(std::nullopt);
    writer->PutArrayCount(0);
    if (version >= 1) writer->Put<int64_t>(0);
    writer->PutNoTags();
  }
}

}  // namespace dory::kafka
