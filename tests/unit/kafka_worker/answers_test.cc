// Every code that a broker may answer a Produce with, on a first attempt and on a re-send: what becomes
// of the batch, in the log and in the books. One partition a code, all in one life; kNoSequences, after which
// the whole topic goes without, is in idempotence_test.cc.

#include <gtest/gtest.h>

#include "kafka_worker/protocol/error_codes.h"
#include "tests/unit/kafka_worker/worker_fixture.h"

namespace dory::kafka {
namespace {

using protocol::Action;
using protocol::ErrorCode;

constexpr size_t kRecords = 4;  // of a batch
constexpr size_t kCodes = protocol::kErrorCodes.size() + 1;
const ErrorCode& CodeOf(size_t index) {
  return index < protocol::kErrorCodes.size() ? protocol::kErrorCodes[index] : protocol::kUnlistedErrorCode;
}
int16_t NumberOf(size_t index) {
  return index < protocol::kErrorCodes.size() ? protocol::kErrorCodes[index].code : int16_t{20'000};
}

// Of one batch.
struct Fate {
  size_t in_log = kRecords;
  size_t delivered = kRecords;
  size_t discarded = 0;
  size_t possible_duplicates = 0;
};

class AnswersTest : public WorkerFixture {
 protected:
  AnswersTest() { broker_.topics["topic"] = static_cast<int32_t>(kCodes); }

  void AppendToAll() {
    for (uint32_t code = 0; code < kCodes; ++code) {
      for (size_t i = 0; i < kRecords; ++i) {
        segment_.AppendKeyed(topic_, code, std::to_string(code) + "." + std::to_string(i));
      }
    }
  }

  // Lives until all is settled; then each partition's log, and the sums of the books.
  template <typename FateOf>
  void ExpectFates(FateOf fate_of) {
    Deliver();
    Fate sum{0, 0, 0, 0};
    for (size_t code = 0; code < kCodes; ++code) {
      const Fate fate = fate_of(code);
      EXPECT_EQ(broker_.log[static_cast<int32_t>(code)].size(), fate.in_log) << CodeOf(code).name;
      sum.delivered += fate.delivered;
      sum.discarded += fate.discarded;
      sum.possible_duplicates += fate.possible_duplicates;
    }
    EXPECT_EQ(Books().Delivered(), sum.delivered);
    EXPECT_EQ(Books().Discarded(), sum.discarded);
    EXPECT_EQ(Books().DiscardedFor(shm::Discard::kOther), sum.discarded);
    EXPECT_EQ(Books().PossibleDuplicates(), sum.possible_duplicates);
  }
};

// The broker answers with the code, and has appended where the code says so.
TEST_F(AnswersTest, OnAFirstAttempt) {
  for (size_t code = 0; code < kCodes; ++code) {
    if (CodeOf(code).action == Action::kNoSequences) continue;
    broker_.script[static_cast<int32_t>(code)] = {
        {.code = NumberOf(code), .appends = CodeOf(code).action == Action::kDelivered}};
  }
  AppendToAll();
  ExpectFates([](size_t code) {
    return CodeOf(code).action == Action::kDiscard ? Fate{0, 0, kRecords, 0} : Fate{};
  });
}

// The first attempt is in the log, and nobody knows; the second is answered with the code.
TEST_F(AnswersTest, OnAResendOfWhatIsInTheLog) {
  for (size_t code = 0; code < kCodes; ++code) {
    if (CodeOf(code).action == Action::kNoSequences) continue;
    broker_.script[static_cast<int32_t>(code)] = {{.code = 6, .appends = true}, {.code = NumberOf(code)}};
  }
  AppendToAll();
  ExpectFates([](size_t code) {
    switch (CodeOf(code).action) {
      case Action::kSplit:          // what these say of the log is not believed after an unknown outcome:
      case Action::kRefuseRecords:  // once more, under a sequence of its own, and counted
      case Action::kDiscard:
      case Action::kSequence:  // the broker is older than 2.5: it may have forgotten us
      case Action::kFenced:
        return Fate{2 * kRecords, kRecords, 0, kRecords};
      default:
        return Fate{};
    }
  });
}

}  // namespace
}  // namespace dory::kafka
