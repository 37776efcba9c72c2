#include "kafka_worker/protocol/error_codes.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace dory::kafka::protocol {
namespace {

struct Expected {
  InLog in_log;
  Action action;
};

// The rows that were decided one by one; every other code goes by Kafka's word on retrying.
std::map<int, Expected> MakeDecided() {
  std::map<int, Expected> decided;
  const auto add = [&decided](std::set<int> codes, InLog in_log, Action action) {
    for (int code : codes) decided[code] = {in_log, action};
  };
  add({-1}, InLog::kUnknown, Action::kServerError);
  add({0, 46}, InLog::kYes, Action::kDelivered);
  add({3, 5, 6, 7, 13, 20, 56, 74, 75, 100}, InLog::kUnknown, Action::kRetry);
  add({19}, InLog::kNoChange, Action::kRetryBackoffOnly);
  add({10, 18}, InLog::kNoChange, Action::kSplit);
  add({2, 21, 32, 44, 87}, InLog::kNoChange, Action::kRefuseRecords);
  add({43}, InLog::kNoChange, Action::kNoSequences);
  add({29, 31, 33, 34, 58}, InLog::kNoChange, Action::kAuthorization);
  add({45, 59}, InLog::kUnknown, Action::kSequence);
  add({47, 90}, InLog::kNoChange, Action::kFenced);
  add({35}, InLog::kNoChange, Action::kRenegotiate);
  return decided;
}

// Retriable by Kafka 4.3's own list, and not decided above.
const std::set<int> kRetriable = {9,  14, 15, 16, 41, 51, 70, 71,  72,  78,  80,
                                  83, 84, 88, 89, 103, 106, 122, 123, 133};

// Its InvalidMetadataExceptions.
const std::set<int> kRefreshing = {3, 5, 6, 9, 13, 56, 72, 74, 80, 83, 84, 100, 103};

TEST(ErrorCodesTest, CodesHaveNoGapsAndNamesOfTheirOwn) {
  std::set<std::string_view> names;
  int code = -1;
  for (const ErrorCode& error : kErrorCodes) {
    EXPECT_EQ(error.code, code++);
    EXPECT_TRUE(names.insert(error.name).second) << error.name;
    EXPECT_EQ(&FindErrorCode(error.code), &error);
  }
  EXPECT_EQ(code, 134);
}

TEST(ErrorCodesTest, EveryCodeIsJudgedAsDecided) {
  const std::map<int, Expected> decided = MakeDecided();
  for (const ErrorCode& error : kErrorCodes) {
    Expected expected{InLog::kNoChange, Action::kDiscard};
    if (kRetriable.contains(error.code)) expected = {InLog::kUnknown, Action::kRetry};
    if (decided.contains(error.code)) expected = decided.at(error.code);
    EXPECT_EQ(error.in_log, expected.in_log) << error.name;
    EXPECT_EQ(error.action, expected.action) << error.name;
    EXPECT_EQ(error.refresh_metadata, kRefreshing.contains(error.code)) << error.name;
  }
}

// What would lose or double messages, whatever the rows say.
TEST(ErrorCodesTest, ActionAndLogGoTogether) {
  for (const ErrorCode& error : kErrorCodes) {
    EXPECT_EQ(error.in_log == InLog::kYes, error.action == Action::kDelivered) << error.name;
    if (error.action == Action::kRetry || error.action == Action::kServerError) {
      EXPECT_EQ(error.in_log, InLog::kUnknown) << error.name;
    }
    if (error.action == Action::kDiscard || error.action == Action::kRefuseRecords) {
      EXPECT_EQ(error.in_log, InLog::kNoChange) << error.name;
    }
    if (error.refresh_metadata) {
      EXPECT_EQ(error.action, Action::kRetry) << error.name;
    }
  }
}

TEST(ErrorCodesTest, CodesOfLaterKafkasHaveARowToo) {
  for (int16_t code : std::initializer_list<int16_t>{-2, 134, 1000, 32767, -32768}) {
    EXPECT_EQ(&FindErrorCode(code), &kUnlistedErrorCode) << code;
  }
}

TEST(ErrorCodesTest, NamedConstantsAreTheirRows) {
  EXPECT_EQ(FindErrorCode(error::kNone).name, "NONE");
  EXPECT_EQ(FindErrorCode(error::kNotLeaderOrFollower).name, "NOT_LEADER_OR_FOLLOWER");
  EXPECT_EQ(FindErrorCode(error::kMessageTooLarge).name, "MESSAGE_TOO_LARGE");
  EXPECT_EQ(FindErrorCode(error::kUnsupportedVersion).name, "UNSUPPORTED_VERSION");
  EXPECT_EQ(FindErrorCode(error::kOutOfOrderSequenceNumber).name, "OUT_OF_ORDER_SEQUENCE_NUMBER");
  EXPECT_EQ(FindErrorCode(error::kUnknownProducerId).name, "UNKNOWN_PRODUCER_ID");
}

TEST(ErrorCodesTest, SequenceErrorsDependOnTheAttempt) {
  for (int16_t code : {error::kOutOfOrderSequenceNumber, error::kUnknownProducerId}) {
    EXPECT_EQ(JudgeSequenceError(code, true, true), InLog::kNoChange);
    EXPECT_EQ(JudgeSequenceError(code, true, false), InLog::kNoChange);
    EXPECT_EQ(JudgeSequenceError(code, false, false), InLog::kUnknown);
  }
  EXPECT_EQ(JudgeSequenceError(error::kOutOfOrderSequenceNumber, false, true), InLog::kNoChange);
  EXPECT_EQ(JudgeSequenceError(error::kUnknownProducerId, false, true), InLog::kUnknown);
}

}  // namespace
}  // namespace dory::kafka::protocol
