// Every code that a broker may answer a Produce with, on a first attempt and on a re-send, to a window of one
// record and of ten: what becomes of the batch, in the log and in the books. One partition a code, all in one
// life; UNSUPPORTED_FOR_MESSAGE_FORMAT, after which the whole topic goes without sequences, is in
// idempotence_test.cc.
//
// What must happen is written down here by hand, code by code, and asks nothing of the table under test.

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/unit/kafka_worker/worker_fixture.h"

namespace dory::kafka {
namespace {

using Codes = std::set<int16_t>;

constexpr int16_t kLastCode = 133;
constexpr int16_t kOfALaterKafka = 20'000;
constexpr int16_t kNotOfThis = 43;

const Codes kInTheLog = {0, 46};
// The same again, until it goes: what may have been appended, and what Kafka calls retriable.
const Codes kAgain = {-1, 3,  5,  6,  7,  9,  13, 14, 15, 16, 19, 20, 35, 41,  51,  56,  70,  71,  72,  74,
                      75, 78, 80, 83, 84, 88, 89, 100, 103, 106, 122, 123, 133};
const Codes kAwaitsARight = {29, 31, 33, 34, 58};
const Codes kTooLarge = {10, 18};
const Codes kOfARecord = {2, 21, 32, 44, 87};
const Codes kOfTheSequence = {45, 47, 59, 90};

Codes ListCodes() {
  Codes codes = {kOfALaterKafka};
  for (int16_t code = -1; code <= kLastCode; ++code) codes.insert(code);
  codes.erase(kNotOfThis);
  return codes;
}

// Of one batch.
struct Fate {
  size_t in_log = 0;
  size_t delivered = 0;
  std::map<shm::Discard, size_t> discarded = {};
  size_t possible_duplicates = 0;
};

// The broker answers once with the code, and has appended where that is what the code says.
Fate AfterAFirstAttempt(int16_t code, size_t records) {
  const Fate taken{records, records};
  for (const Codes& codes : {kInTheLog, kAgain, kAwaitsARight, kOfTheSequence}) {
    if (codes.contains(code)) return taken;
  }
  // Its halves are taken; a single record has none.
  if (kTooLarge.contains(code)) return records > 1 ? taken : Fate{0, 0, {{shm::Discard::kTooLarge, 1}}};
  if (kOfARecord.contains(code)) return records > 1 ? taken : Fate{0, 0, {{shm::Discard::kRefused, 1}}};
  if (code == kOfALaterKafka) return taken;  // it may have been appended
  return {0, 0, {{shm::Discard::kOther, records}}};
}

// It was appended the first time, nobody knows, and the repetition is answered with the code. What says that it
// was refused is not believed then: once more, under a sequence of its own, and counted. So are sequences that
// an old broker does not take: it may have forgotten us.
Fate AfterAResend(int16_t code, size_t records) {
  for (const Codes& codes : {kInTheLog, kAgain, kAwaitsARight}) {
    if (codes.contains(code)) return {records, records};
  }
  if (code == kOfALaterKafka) return {records, records};
  return {2 * records, records, {}, records};
}

class AnswersTest : public WorkerFixture, public ::testing::WithParamInterface<size_t> {
 protected:
  AnswersTest() { broker_.topics["topic"] = static_cast<int32_t>(codes_.size()); }

  using FateOf = Fate (*)(int16_t code, size_t records);

  // `script(code)`: what is answered. Lives until all is settled; then each partition's log, and the books.
  template <typename Script>
  void ExpectFates(Script script, FateOf fate_of) {
    uint32_t partition = 0;
    for (const int16_t code : codes_) {
      broker_.script[static_cast<int32_t>(partition)] = script(code);
      for (size_t i = 0; i < GetParam(); ++i) {
        segment_.AppendKeyed(topic_, partition, std::to_string(code) + "." + std::to_string(i));
      }
      ++partition;
    }
    Deliver();
    ExpectBooks(fate_of);
  }

 private:
  void ExpectBooks(FateOf fate_of) {
    Fate sum;
    int32_t partition = 0;
    for (const int16_t code : codes_) {
      const Fate fate = fate_of(code, GetParam());
      EXPECT_EQ(broker_.log[partition++].size(), fate.in_log) << code;
      sum.delivered += fate.delivered;
      sum.possible_duplicates += fate.possible_duplicates;
      for (const auto& [reason, count] : fate.discarded) sum.discarded[reason] += count;
    }
    EXPECT_EQ(Books().Delivered(), sum.delivered);
    EXPECT_EQ(Books().PossibleDuplicates(), sum.possible_duplicates);
    for (size_t i = 0; i < shm::kDiscardReasons; ++i) {
      const auto reason = static_cast<shm::Discard>(i);
      EXPECT_EQ(Books().DiscardedFor(reason), sum.discarded[reason]) << shm::NameOf(reason);
    }
  }

  const Codes codes_ = ListCodes();
};

TEST_P(AnswersTest, OnAFirstAttempt) {
  ExpectFates(
      [](int16_t code) -> std::deque<Step> { return {{.code = code, .appends = kInTheLog.contains(code)}}; },
      AfterAFirstAttempt);
}

TEST_P(AnswersTest, OnAResendOfWhatIsInTheLog) {
  ExpectFates([](int16_t code) -> std::deque<Step> { return {{.code = 6, .appends = true}, {.code = code}}; },
              AfterAResend);
}

INSTANTIATE_TEST_SUITE_P(Windows, AnswersTest, ::testing::Values(1, 10));

}  // namespace
}  // namespace dory::kafka
