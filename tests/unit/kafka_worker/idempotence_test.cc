// Where a sequence can't be had: a topic whose message format has none, a producer id that is refused; and
// what [kafka] idempotence makes of it. Whole workers.

#include <gtest/gtest.h>

#include "common/control.pb.h"
#include "tests/unit/kafka_worker/worker_fixture.h"

namespace dory::kafka {
namespace {

using Values = std::vector<std::string>;

constexpr int16_t kNotAuthorized = 31;  // CLUSTER_AUTHORIZATION_FAILED
constexpr int16_t kLoading = 14;        // COORDINATOR_LOAD_IN_PROGRESS

class IdempotenceTest : public WorkerFixture {
 protected:
  void Require() { Configure("batch_time = 1ms\n", "idempotence = required\n"); }
  std::vector<SeenBatch>& Seen() { return broker_.seen[0]; }
  void AppendWithHeader(const std::string& value) {
    constexpr std::string_view kHeader("\2a\4xy", 5);
    shm::MessageView message = shm::TestSegment::MakeMessage(topic_, value);
    message.headers = AsBytes(kHeader);
    message.header.header_count = 1;
    message.header.headers_size = static_cast<uint32_t>(kHeader.size());
    segment_.Append(message);
  }

  // REQUIRES: a life goes on.
  bool HasWarning(const std::string& text) {
    control::WorkerStatus status;
    context_.handlers.fill_status(&status);
    return std::any_of(status.warnings().begin(), status.warnings().end(),
                       [&](const std::string& warning) { return warning.find(text) != std::string::npos; });
  }
};

TEST_F(IdempotenceTest, ATopicOfAnOldFormatGoesWithoutSequences) {
  broker_.without_sequences = true;
  const Values values = AppendMany(4);
  ASSERT_TRUE(LiveUntil([this] { return IsSettled() && HasWarning("message format is older than Kafka 0.11, headers are left out: at least once"); }));
  EXPECT_EQ(broker_.log[0], values);
  ASSERT_EQ(Seen().size(), 2u);
  EXPECT_EQ(Seen()[0].producer_id, 1000);
  EXPECT_EQ(Seen()[1].producer_id, -1);
  EXPECT_EQ(Books().PossibleDuplicates(), 0u);
}

// Such a format has none, and brokers answer UNKNOWN_SERVER_ERROR to whatever has some: for ever.
TEST_F(IdempotenceTest, NorWithHeaders) {
  broker_.without_sequences = true;
  AppendWithHeader("headed");
  segment_.Append(topic_, "plain");
  Deliver();
  EXPECT_EQ(broker_.log[0], (Values{"headed", "plain"}));
  EXPECT_EQ(Seen().size(), 2u);
  EXPECT_TRUE(Seen()[0].has_headers);
  EXPECT_FALSE(Seen()[1].has_headers);
  EXPECT_EQ(Books().PossibleDuplicates(), 0u);
}

// Nobody tells of the format whoever has no sequence.
TEST_F(IdempotenceTest, WithoutAProducerIdTheFormatIsFoundOut) {
  broker_.init_producer_id_code = kNotAuthorized;
  broker_.without_sequences = true;
  AppendWithHeader("headed");
  Deliver();
  EXPECT_EQ(broker_.log[0], Values{"headed"});
  EXPECT_EQ(Seen().size(), 4u);
}

// A format that has them keeps them.
TEST_F(IdempotenceTest, WithoutAProducerIdHeadersStay) {
  broker_.init_producer_id_code = kNotAuthorized;
  broker_.script[0] = {{.code = -1}, {.code = -1}};
  AppendWithHeader("headed");
  Deliver();
  EXPECT_TRUE(Seen().back().has_headers);
}

// What was in the log before the format was lowered may be there twice now.
TEST_F(IdempotenceTest, AnUnknownOutcomeIsCounted) {
  broker_.script[0] = {{.code = 7, .appends = true}, {.code = 43}, {.code = 7, .appends = true}};
  AppendMany(4);
  Deliver();
  EXPECT_EQ(broker_.log[0].size(), 12u);
  EXPECT_EQ(Books().PossibleDuplicates(), 8u);
  EXPECT_EQ(Seen().back().producer_id, -1);
}

// In one life, and once the time has passed in which the answer is remembered.
TEST_F(IdempotenceTest, ATopicWhoseFormatIsRaisedGetsSequencesAgain) {
  Configure("batch_time = 1ms\n", "metadata_refresh = 1s\n");
  broker_.without_sequences = true;
  Values values = AppendMany(4);
  ASSERT_TRUE(LiveUntil([&] {
    if (!IsSettled()) return false;
    broker_.without_sequences = false;
    if (Seen().back().producer_id >= 0) return !HasWarning("message format");
    values.push_back("n" + std::to_string(values.size()));
    segment_.Append(topic_, values.back());
    RingBell();
    return false;
  }));
  EXPECT_EQ(broker_.log[0], values);
  EXPECT_EQ(Seen().back().epoch, 1);
  EXPECT_EQ(Seen().back().sequence, 0);
}

TEST_F(IdempotenceTest, WhatIsRefusedWithoutASequenceIsDiscarded) {
  broker_.script[0] = {{.code = 43}, {.code = 43, .names_record = 1}};
  AppendMany(4);
  broker_.script[0].push_back({.code = 0, .appends = true});
  broker_.script[0].push_back({.code = 43, .names_record = 0});
  Deliver();
  EXPECT_EQ(broker_.log[0], (Values{"m0", "m2", "m3"}));
  EXPECT_EQ(Books().DiscardedFor(shm::Discard::kRefused), 1u);
}

TEST_F(IdempotenceTest, RequiredWaitsForANewerFormat) {
  Require();
  broker_.without_sequences = true;
  const Values values = AppendMany(4);
  ASSERT_TRUE(LiveUntil([this] { return Seen().size() >= 3 && HasWarning("idempotence = required"); }));
  EXPECT_TRUE(broker_.log[0].empty());
  broker_.without_sequences = false;
  Deliver();
  EXPECT_EQ(broker_.log[0], values);
  for (const SeenBatch& batch : Seen()) EXPECT_EQ(batch.sequence, 0);
}

TEST_F(IdempotenceTest, ARefusedProducerIdIsAtLeastOnce) {
  broker_.init_producer_id_code = kNotAuthorized;
  broker_.script[0] = {{.code = 7, .appends = true}};
  AppendMany(4);
  ASSERT_TRUE(LiveUntil([this] {
    return IsSettled() && HasWarning("no producer id: CLUSTER_AUTHORIZATION_FAILED; at least once");
  }));
  EXPECT_EQ(broker_.log[0].size(), 8u);
  EXPECT_EQ(Books().PossibleDuplicates(), 4u);
  EXPECT_EQ(Seen().back().producer_id, -1);
}

TEST_F(IdempotenceTest, RequiredWaitsForAProducerId) {
  Require();
  broker_.init_producer_id_code = kNotAuthorized;
  const Values values = AppendMany(4);
  ASSERT_TRUE(LiveUntil([this] { return HasWarning("CLUSTER_AUTHORIZATION_FAILED; messages wait"); }));
  EXPECT_TRUE(Seen().empty());
  broker_.init_producer_id_code = 0;
  Deliver();
  EXPECT_EQ(broker_.log[0], values);
  EXPECT_EQ(Seen().back().producer_id, 1000);
}

// It comes by itself, so it is waited for in either case.
TEST_F(IdempotenceTest, AProducerIdThatIsLateIsWaitedFor) {
  broker_.init_producer_id_code = kLoading;
  AppendMany(4);
  ASSERT_TRUE(LiveUntil([this] {
    EXPECT_FALSE(HasWarning("at least once"));
    return HasWarning("COORDINATOR_LOAD_IN_PROGRESS");
  }));
  broker_.init_producer_id_code = 0;
  Deliver();
  EXPECT_EQ(Seen().size(), 1u);
  EXPECT_EQ(Seen().back().producer_id, 1000);
}

// Each of these after an attempt that is in the log, which nobody knows.
TEST_F(IdempotenceTest, AtMostOnceDiscardsWhatMayBeThere) {
  Configure("batch_time = 1ms\non_ambiguous = at_most_once\n");
  size_t batches = 0;
  for (const int16_t code : std::initializer_list<int16_t>{10, 17, 43, 45, 47, 59, 87, 90}) {
    broker_.script[0] = {{.code = 7, .appends = true}, {.code = code}};
    AppendMany(4);
    Deliver();
    AppendMany(1);  // it does not go under the sequence of those
    Deliver();
    EXPECT_EQ(broker_.log[0].size(), ++batches * 5) << code;
  }
  EXPECT_EQ(Books().DiscardedFor(shm::Discard::kAmbiguous), batches * 4);
  EXPECT_EQ(Books().Delivered(), batches);
  EXPECT_EQ(Books().PossibleDuplicates(), 0u);
}

TEST_F(IdempotenceTest, RequiredDoesNotGoToAnOldBroker) {
  Require();
  broker_.script[0] = {{.code = 6, .appends = true}};
  const Values values = AppendMany(4);
  ASSERT_TRUE(LiveUntil([this] { return !Seen().empty(); }));
  broker_.produce_version = 2;
  broker_.init_producer_id_version = -1;
  ASSERT_TRUE(LiveUntil([this] { return HasWarning("is older than Kafka 0.11: messages wait"); }));
  EXPECT_EQ(Seen().size(), 1u);
  broker_.produce_version = 8;
  broker_.init_producer_id_version = 1;
  Deliver();
  EXPECT_EQ(broker_.log[0], values);
  EXPECT_EQ(Books().PossibleDuplicates(), 0u);
}

}  // namespace
}  // namespace dory::kafka
