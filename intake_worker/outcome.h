// How a step of the intake's lane went.

#pragma once

namespace dory::intake {

enum class Outcome {
  kMore,       // there may be more
  kEmpty,      // nothing is left
  kNoRoom,     // the ring is full
  kNoArea,     // of a connection: all areas that its next message could lie in are taken
  kNoReceipt,  // of a connection: its next message asks for a receipt, and may not yet
  kEnd,        // of a connection: nothing more comes, or nothing of it can be read any more
};

}  // namespace dory::intake
