// A batch of unknown outcome whose leader may have forgotten us: whole workers, and a broker that can be asked.
// The messages have old timestamps, so that every re-send asks first.

#include "kafka_worker/log_lookup.h"

#include <gtest/gtest.h>

#include "tests/unit/kafka_worker/worker_fixture.h"

namespace dory::kafka {
namespace {

using Values = std::vector<std::string>;

constexpr int16_t kNotLeader = 6;
constexpr int16_t kNotAuthorized = 29;

class LogLookupTest : public WorkerFixture {
 protected:
  LogLookupTest() {
    broker_.offers_fetch = true;
    broker_.offers_describe_producers = true;
    broker_.takes_any_sequence = true;
  }

  std::vector<SeenBatch>& Seen() { return broker_.seen[0]; }

  void AppendFresh(const std::string& value, Values* values) {
    shm::MessageView message = shm::TestSegment::MakeMessage(topic_, value);
    message.header.timestamp_ms = WallClockMs();
    segment_.Append(message);
    values->push_back(value);
  }

  // A first batch that is acknowledged, and so known to be there.
  void DeliverOne(Values* values) {
    AppendFresh("before", values);
    Deliver();
  }

  // A life that sends four more and gets no useful answer, and a broker that then has forgotten us.
  void SendAndForget(bool appends, Values* values) {
    broker_.script[0] = {{.code = 7, .appends = appends}};
    const Values more = AppendMany(4);
    values->insert(values->end(), more.begin(), more.end());
    const size_t seen = Seen().size();
    ASSERT_TRUE(LiveUntil([&] { return Seen().size() > seen; }));
    broker_.ForgetProducers();
  }

  void ExpectOnce(const Values& values) {
    Deliver();
    EXPECT_EQ(broker_.log[0], values);
    EXPECT_EQ(Books().Delivered(), values.size());
    EXPECT_EQ(Books().PossibleDuplicates(), 0u);
    EXPECT_GT(broker_.offsets.asked, 0u);
  }
};

TEST_F(LogLookupTest, NobodyIsAskedWhileTheLeaderKnowsUs) {
  broker_.script[0] = {{.code = 7, .appends = true}};
  Values values;
  AppendFresh("new", &values);
  Deliver();
  EXPECT_EQ(broker_.offsets.asked, 0u);
  EXPECT_EQ(broker_.log[0], values);
}

// Its own check is better than anything that we could find out.
TEST_F(LogLookupTest, ALeaderThatRemembersIsSentTheSameAgain) {
  broker_.script[0] = {{.code = 7, .appends = true}};
  const Values values = AppendMany(4);
  ExpectOnce(values);
  EXPECT_EQ(broker_.offsets.asked, 1u);
  EXPECT_EQ(Seen().size(), 2u);
}

TEST_F(LogLookupTest, WhatIsInTheLogIsDelivered) {
  for (const bool describes : {true, false}) {  // Kafka 2.8 and newer; 0.11 to 2.7
    broker_.offers_describe_producers = describes;
    Values values = broker_.log[0];
    SendAndForget(true, &values);
    const size_t seen = Seen().size();
    ExpectOnce(values);
    EXPECT_EQ(Seen().size(), seen);
  }
  EXPECT_EQ(PartitionRowOf(0).acked_offset, 4);
  const Values more = AppendMany(2, "more");  // the next sequence
  Deliver();
  EXPECT_EQ(broker_.log[0].size(), 10u);
  EXPECT_EQ(Seen().back().sequence, 8);
}

TEST_F(LogLookupTest, WhatIsNotInTheLogIsSentAgain) {
  for (const bool describes : {true, false}) {
    broker_.offers_describe_producers = describes;
    Values values = broker_.log[0];
    SendAndForget(false, &values);
    ExpectOnce(values);
    EXPECT_EQ(Seen().back().epoch, 0);
  }
}

// From the last acknowledged one on, batch by batch, others' among them.
TEST_F(LogLookupTest, ALongLogIsReadToItsEnd) {
  Values values;
  DeliverOne(&values);
  for (int32_t i = 0; i < 20; ++i) broker_.offsets.Append(0, 77, 0, i, 3);
  broker_.offsets.most_batches = 1;
  SendAndForget(true, &values);
  ExpectOnce(values);
  EXPECT_EQ(PartitionRowOf(0).acked_offset, 61);
  EXPECT_GE(broker_.offsets.asked, 22u);
}

TEST_F(LogLookupTest, WithoutTheRightToReadItMayBeThereTwice) {
  Values values;
  DeliverOne(&values);
  SendAndForget(true, &values);
  broker_.offsets.code = kNotAuthorized;
  Deliver();
  EXPECT_EQ(Books().PossibleDuplicates(), 4u);
  EXPECT_EQ(broker_.log[0].size(), 9u);
  EXPECT_EQ(Seen().back().sequence, 1);  // a broker that remembers would know it
}

TEST_F(LogLookupTest, OrItIsDiscarded) {
  Configure("batch_time = 1ms\non_ambiguous = at_most_once\n");
  Values values;
  DeliverOne(&values);
  SendAndForget(true, &values);
  broker_.offsets.code = kNotAuthorized;
  Deliver();
  EXPECT_EQ(broker_.log[0], values);
  EXPECT_EQ(Books().DiscardedFor(shm::Discard::kAmbiguous), 4u);
  AppendMany(1, "after");
  Deliver();
  EXPECT_EQ(broker_.log[0].size(), 6u);
  EXPECT_EQ(Seen().back().epoch, 1);
}

TEST_F(LogLookupTest, ALogThatIsCutOffSaysNothing) {
  Values values;
  DeliverOne(&values);
  SendAndForget(true, &values);
  broker_.offsets.entries.clear();  // retention
  broker_.offsets.start = 100;
  Deliver();
  EXPECT_EQ(Books().PossibleDuplicates(), 4u);
}

// An election that lost what was acknowledged: what came behind it is not there either, but nobody knows what is.
TEST_F(LogLookupTest, ALogThatIsShorterThanItWasSaysNothing) {
  Values values;
  DeliverOne(&values);
  broker_.offsets.Append(0, 77, 0, 0, 50);
  DeliverOne(&values);
  SendAndForget(true, &values);
  broker_.offsets.entries.clear();
  Deliver();
  EXPECT_EQ(Books().PossibleDuplicates(), 4u);
}

// Others have written since, to where it had been and beyond, or it ends right there: what came first is not known.
TEST_F(LogLookupTest, ALogThatHasGrownAgainSaysNothing) {
  for (const size_t others : std::initializer_list<size_t>{0, 10}) {
    Values values;
    DeliverOne(&values);
    broker_.offsets.entries.clear();
    broker_.offsets.Append(0, 77, 0, 0, 50);
    DeliverOne(&values);  // at 50
    SendAndForget(true, &values);
    broker_.offsets.entries.clear();
    broker_.offsets.Append(0, 77, 0, 0, 50);
    if (others > 0) broker_.offsets.Append(0, 77, 0, 50, others);
    const uint64_t counted = Books().PossibleDuplicates();
    Deliver();
    EXPECT_EQ(Books().PossibleDuplicates(), counted + 4);
  }
}

// Kafka before 2.5 answers so to a producer that it forgot.
TEST_F(LogLookupTest, AfterAnUnknownProducerIdTheLogIsAskedToo) {
  broker_.offers_describe_producers = false;
  Values values;
  DeliverOne(&values);
  for (const int16_t code : std::initializer_list<int16_t>{59, 45}) {
    for (const bool appends : {true, false}) {
      AppendFresh("fresh " + std::to_string(code), &values);
      broker_.script[0] = {{.code = 7, .appends = appends}, {.code = code}};
      ExpectOnce(values);
    }
  }
  EXPECT_EQ(Seen().back().epoch, 2);
}

// Somebody else's batch there is larger than any answer that we take: no connection would bring it.
TEST_F(LogLookupTest, ALogThatCanNotBeReadSaysNothing) {
  Values values;
  DeliverOne(&values);
  SendAndForget(true, &values);
  broker_.fetched = FakeBroker::Fetched::kTooLarge;
  Deliver();
  EXPECT_EQ(Books().PossibleDuplicates(), 4u);
}

// As behind a proxy that knows no Fetch. While it takes nothing of others it may just as well be about to die.
TEST_F(LogLookupTest, ALeaderThatAnswersOthersAloneSaysNothing) {
  broker_.topics["topic"] = 2;
  broker_.script[0] = {{.code = 7, .appends = true}};
  segment_.AppendKeyed(topic_, 0, "sick");
  ASSERT_TRUE(LiveUntil([this] { return !Seen().empty(); }));
  broker_.ForgetProducers();
  broker_.fetched = FakeBroker::Fetched::kCut;
  const size_t before = broker_.connections;
  ASSERT_TRUE(LiveUntil([&] { return broker_.connections >= before + 7; }));
  EXPECT_EQ(Books().PossibleDuplicates(), 0u);
  int appended = 0;
  ASSERT_TRUE(LiveUntil([&] {
    if (broker_.log[1].size() == static_cast<size_t>(appended) && Books().PossibleDuplicates() == 0) {
      segment_.AppendKeyed(topic_, 1, std::to_string(appended++));
      RingBell();
    }
    return IsSettled();
  }));
  EXPECT_EQ(Books().PossibleDuplicates(), 1u);
  EXPECT_EQ(Books().Delivered(), static_cast<uint64_t>(appended) + 1);
}

// Another partition goes on, and a life that ends meanwhile begins anew.
TEST_F(LogLookupTest, WhoIsAskedHoldsUpNobodyElse) {
  broker_.topics["topic"] = 2;
  broker_.script[0] = {{.code = 7, .appends = true}};
  segment_.AppendKeyed(topic_, 0, "sick");
  ASSERT_TRUE(LiveUntil([this] { return !Seen().empty(); }));
  broker_.ForgetProducers();
  broker_.offsets.code = kNotLeader;
  for (int i = 0; i < 5; ++i) segment_.AppendKeyed(topic_, 1, std::to_string(i));
  ASSERT_TRUE(LiveUntil([this] { return broker_.log[1].size() == 5 && broker_.offsets.asked >= 3; }));
  EXPECT_EQ(Seen().size(), 1u);
  broker_.offsets.code = 0;
  Deliver();
  EXPECT_EQ(Seen().size(), 1u);
  EXPECT_EQ(broker_.log[0], Values{"sick"});
  EXPECT_EQ(Books().PossibleDuplicates(), 0u);
}

}  // namespace
}  // namespace dory::kafka
