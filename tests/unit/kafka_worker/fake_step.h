// A step of a FakeBroker's script.

#pragma once

#include <cstdint>
#include <string>

namespace dory::kafka {

// What happens to one batch of a partition instead of what would.
struct Step {
  int16_t code = 0;
  bool appends = false;         // before it answers
  bool cuts = false;            // the connection, instead of answering
  std::string cluster = {};     // of which the broker is from then on
  int32_t names_record = -1;    // as the one that is refused
  int32_t leader = -1;          // that the answer names, with its address; from Produce 10 on,
  int32_t leader_epoch = 1;     // and its epoch; Metadata has 0
};

}  // namespace dory::kafka
