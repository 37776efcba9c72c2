// What a produce request carries for one partition: what the sender hands to who settles it.

#pragma once

#include <cstdint>

#include "kafka_worker/memory.h"
#include "kafka_worker/protocol/topic_id.h"
#include "kafka_worker/topics.h"

namespace dory::kafka {

struct SentBatch {
  Topic* topic;
  int32_t partition;
  BatchId batch;
  int32_t broker;
  bool suspect;     // alone, over the connection for suspects
  bool compressed;
  bool leaves_headers = false;
  protocol::TopicId topic_id{};  // by which it was called; none: by its name
};

}  // namespace dory::kafka
