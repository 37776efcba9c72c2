// What came of a request.

#pragma once

#include <cstdint>
#include <functional>

#include "common/bytes.h"
#include "common/status.h"

namespace dory::kafka {

struct Answer {
  enum class End {
    kAnswered,
    kDeadline,  // this request was not answered in time
    kCut,       // the connection ended for another reason, or because of another request
  };

  End end;
  Result<ByteSpan> body;  // why there is none where `end` is not kAnswered, or it can't be parsed
  int64_t took_ms;        // since the broker could begin with it: it was sent, the one before answered
};

using AnswerCallback = std::function<void(const Answer& answer)>;

}  // namespace dory::kafka
