// Places and outcomes of tickets: by the drain and a start, with states set by hand; and by whole workers.

#include "kafka_worker/receipts.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/kafka_worker/drain_fixture.h"
#include "tests/unit/kafka_worker/worker_fixture.h"

namespace dory::kafka {
namespace {

using shm::CodeOf;
using shm::Discard;
using shm::Outcome;

constexpr uint32_t kTickets = shm::TestSegment::kSmall.tickets;

const Outcome& OutcomeOf(const shm::TestSegment& segment, uint64_t ticket) {
  return segment.check().Get<Outcome>(shm::RegionKind::kOutcomes, 0)[ticket % kTickets];
}

void AppendAsking(shm::TestSegment& segment, uint64_t ticket, uint32_t row, const std::string& value) {
  shm::MessageView message = shm::TestSegment::MakeMessage(row, value);
  message.header.ticket = ticket;
  segment.Append(message);
}

// ---- places

class PlacesTest : public DrainFixture {
 protected:
  using DrainFixture::DrainFixture;

  Outcome& Slot(uint64_t ticket) {
    return kafka_->GetWritable<Outcome>(shm::RegionKind::kOutcomes, 0)[ticket % kTickets];
  }
  void Ask(uint64_t ticket, uint32_t row = 0) { AppendAsking(segment_, ticket, row, "asks"); }

  void SetPlace(uint64_t ticket, uint64_t order, uint32_t index) {
    Slot(ticket).place_number = ticket;
    Slot(ticket).order = order;
    Slot(ticket).index = index;
  }
  void ExpectPlace(uint64_t ticket, BatchId batch, uint32_t index) {
    EXPECT_EQ(Slot(ticket).place_number, ticket);
    EXPECT_EQ(Slot(ticket).order, memory_->pool.descriptor(batch).order);
    EXPECT_EQ(Slot(ticket).index, index);
    EXPECT_NE(Slot(ticket).number, ticket);
  }
  void ExpectDiscarded(uint64_t ticket, Discard reason) {
    EXPECT_EQ(Slot(ticket).number, ticket);
    EXPECT_EQ(Slot(ticket).code, CodeOf(reason));
    EXPECT_EQ(Slot(ticket).partition, -1);
    EXPECT_EQ(Slot(ticket).offset, -1);
  }

  // As a window that was acknowledged, until C10.
  void Acknowledge(BatchId id, uint64_t first, uint64_t count, int64_t offset) {
    shm::BatchDescriptor& batch = memory_->pool.writable(id);
    batch.partition_row = topics_->EnsurePartitionRow(0, 1);
    batch.producer_index = 0;
    batch.total_after = first + count;
    batch.settled_offset = offset;
    SetWord(id, shm::BatchState::kAcked, first, count);
  }

  // A waiting batch with two that ask around one that does not.
  BatchId Wait() {
    Ask(1);
    segment_.Append(0, "asks nothing");
    Ask(2);
    drain_->DrainRing(0);
    return topics_->Get(0).waiting.at(0);
  }
};

TEST_F(PlacesTest, ARecordThatAsksHasItsPlace) {
  Topic& topic = MakeKnown(0);
  segment_.Append(0, "asks nothing");
  Ask(kTickets + 3);
  drain_->DrainRing(0);
  ExpectPlace(kTickets + 3, topic.any.at(0), 1);
  for (uint64_t ticket = 4; ticket < 8; ++ticket) EXPECT_EQ(Slot(ticket).place_number, 0u);
}

TEST_F(PlacesTest, ThePlaceIsOfTheWaitingBatchAndThenOfTheOther) {
  const BatchId waiting = Wait();
  ExpectPlace(1, waiting, 0);
  ExpectPlace(2, waiting, 2);
  Topic& topic = MakeKnown(0);
  drain_->DrainWaiting(topic, 0);
  ExpectPlace(1, topic.any.at(0), 0);
  ExpectPlace(2, topic.any.at(0), 2);
}

TEST_F(PlacesTest, ATopicThatIsGivenUpAnswersFromRingAndWaitingBatch) {
  Wait();
  Topic& topic = topics_->Get(0);
  topic.given_up = Discard::kUnknownTopic;
  drain_->DrainWaiting(topic, 0);
  Ask(3);
  segment_.Append(0, "asks nothing");
  drain_->DrainRing(0);
  for (uint64_t ticket = 1; ticket < 4; ++ticket) ExpectDiscarded(ticket, Discard::kUnknownTopic);
  EXPECT_EQ(memory_->consumer->cell.ticket, 0u);
  EXPECT_TRUE(memory_->receipts.TakeNews());
  EXPECT_FALSE(memory_->receipts.TakeNews());
}

// The start of a life that died behind `position`.
TEST_F(PlacesTest, ADiscardWhoseOutcomeIsMissingIsAnsweredByTheStart) {
  Ask(1);
  uint64_t& counter = memory_->books[0].discarded[static_cast<size_t>(Discard::kUnknownTopic)];
  memory_->consumer->cell = {memory_->CounterIndex(&counter), 1, segment_.producer().tail, 0, 1, CodeOf(Discard::kUnknownTopic)};
  Restart();
  ExpectDiscarded(1, Discard::kUnknownTopic);
}

TEST_F(PlacesTest, WhatAWaitingBatchHasLostIsCorrupt) {
  const BatchId waiting = Wait();
  kafka_->WritableBytes(shm::RegionKind::kPool, 0)[waiting * shm::kBlockSize + shm::kRecordOverhead] ^= std::byte{1};
  Topic& topic = MakeKnown(0);
  drain_->DrainWaiting(topic, 0);
  ExpectDiscarded(1, Discard::kCorrupt);
  ExpectPlace(2, topic.any.at(0), 1);
}

// It died behind the cell and behind `first`, before the outcome.
TEST_F(PlacesTest, WhatAWaitingBatchHasLostIsAnsweredByTheStart) {
  const BatchId waiting = Wait();
  SetWord(waiting, shm::BatchState::kOpen, 1, 0);
  Restart();
  ExpectDiscarded(1, Discard::kCorrupt);
  ExpectPlace(2, waiting, 2);
  SetWord(waiting, shm::BatchState::kOpen, 3, 0);  // and all of it, before it was free
  Restart();
  ExpectDiscarded(2, Discard::kCorrupt);
  EXPECT_EQ(memory_->pool.free_blocks(), 128u);
}

// C10 to C12, from any state in between.
TEST_F(PlacesTest, AStartAnswersAWindowThatWasSettled) {
  Topic& topic = MakeKnown(0);
  for (uint64_t ticket = 1; ticket < 6; ++ticket) Ask(ticket);
  drain_->DrainRing(0);
  const BatchId batch = topic.any.at(0);
  Acknowledge(batch, 0, 3, 70);
  Restart();
  for (uint64_t ticket = 1; ticket < 4; ++ticket) {
    EXPECT_EQ(Slot(ticket).number, ticket);
    EXPECT_EQ(Slot(ticket).code, shm::kDeliveredCode);
    EXPECT_EQ(Slot(ticket).partition, 1);
    EXPECT_EQ(Slot(ticket).offset, 69 + static_cast<int64_t>(ticket));
  }
  ExpectPlace(4, batch, 3);
  ExpectPlace(5, batch, 4);
  Acknowledge(batch, 3, 2, INT64_MAX);  // only a broker that lies says so
  Slot(1).code = CodeOf(Discard::kOther);  // the intake may have seen it: it is not touched any more
  Restart();
  EXPECT_EQ(Slot(1).code, CodeOf(Discard::kOther));
  EXPECT_EQ(Slot(4).offset, INT64_MAX);
  EXPECT_EQ(Slot(5).offset, -1);
}

TEST_F(PlacesTest, ADiscardedWindowHasAPartitionAndNoOffset) {
  Topic& topic = MakeKnown(0);
  Ask(1);
  drain_->DrainRing(0);
  const BatchId batch = topic.any.at(0);
  Acknowledge(batch, 0, 1, 70);
  memory_->pool.writable(batch).discard_reason = static_cast<uint16_t>(Discard::kRefused);
  SetWord(batch, shm::BatchState::kDiscarded, 0, 1);
  Restart();
  EXPECT_EQ(Slot(1).number, 1u);
  EXPECT_EQ(Slot(1).code, CodeOf(Discard::kRefused));
  EXPECT_EQ(Slot(1).partition, 1);
  EXPECT_EQ(Slot(1).offset, -1);
}

// It died between C3 and C4: another record would come there, and orders are used again.
TEST_F(PlacesTest, APlaceThatNothingWasCommittedToEndsWithItsLife) {
  Topic& topic = MakeKnown(0);
  Ask(1);
  drain_->DrainRing(0);
  const uint64_t order = memory_->pool.descriptor(topic.any.at(0)).order;
  SetPlace(2, order + 1, 0);  // in no batch
  SetPlace(3, order, 1);      // behind the last
  Restart();
  ExpectPlace(1, topics_->Get(0).any.at(0), 0);
  for (uint64_t ticket = 2; ticket < 4; ++ticket) {
    EXPECT_EQ(Slot(ticket).order, 0u);
    EXPECT_EQ(Slot(ticket).place_number, 0u);  // the intake may find that it was lost, if the ring is damaged now
  }
}

// It died while a record was to leave its waiting batch.
TEST_F(PlacesTest, APlaceThatNothingWasCommittedToGoesBackToTheWaitingBatch) {
  const BatchId waiting = Wait();
  SetPlace(1, 77, 0);  // behind the order's store
  SetPlace(2, 0, 5);   // and before it
  Restart();
  ExpectPlace(1, waiting, 0);
  ExpectPlace(2, waiting, 2);
}

// The slot's next ticket has an outcome without ever having had a place.
TEST_F(PlacesTest, APlaceWithALaterOutcomeIsNobodys) {
  const BatchId waiting = Wait();
  SetWord(waiting, shm::BatchState::kOpen, 1, 0);
  Slot(1).number = 1 + kTickets;
  Slot(1).code = CodeOf(Discard::kUnknownTopic);
  Restart();
  EXPECT_EQ(Slot(1).number, 1u + kTickets);
  EXPECT_EQ(Slot(1).code, CodeOf(Discard::kUnknownTopic));
}

constexpr shm::Geometry WithoutTickets() {
  shm::Geometry geometry = shm::TestSegment::kSmall;
  geometry.tickets = 0;
  return geometry;
}

class NoTicketsTest : public PlacesTest {
 protected:
  NoTicketsTest() : PlacesTest(WithoutTickets()) {}
};

TEST_F(NoTicketsTest, WhatRecordsSayOfTicketsIsIgnored) {
  Wait();
  Restart();
  Topic& topic = MakeKnown(0);
  drain_->DrainWaiting(topic, 0);
  EXPECT_EQ(ValuesOf(topic.any.at(0)).size(), 3u);
  topics_->Get(1).given_up = Discard::kUnknownTopic;
  Ask(5, 1);
  drain_->DrainRing(0);
  Acknowledge(topic.any.at(0), 0, 3, 0);
  Restart();
  EXPECT_EQ(segment_.ExpectBalance().buffered_counted, 0u);
}

// ---- outcomes of whole workers

class OutcomesTest : public WorkerFixture {
 protected:
  // Appends so many; message i asks by ticket first + i.
  void AskMany(uint64_t first, uint64_t count, const std::string& prefix = "m") {
    for (uint64_t i = 0; i < count; ++i) AppendAsking(segment_, first + i, topic_, prefix + std::to_string(i));
  }

  void ExpectDelivered(uint64_t ticket, int64_t offset) {
    const Outcome& outcome = OutcomeOf(segment_, ticket);
    EXPECT_EQ(outcome.number, ticket);
    EXPECT_EQ(outcome.code, shm::kDeliveredCode) << ticket;
    EXPECT_EQ(outcome.partition, 0) << ticket;
    EXPECT_EQ(outcome.offset, offset) << ticket;
  }
  void ExpectDiscarded(uint64_t ticket, Discard reason) {
    const Outcome& outcome = OutcomeOf(segment_, ticket);
    EXPECT_EQ(outcome.number, ticket);
    EXPECT_EQ(outcome.code, CodeOf(reason)) << ticket;
    EXPECT_EQ(outcome.partition, 0) << ticket;
    EXPECT_EQ(outcome.offset, -1) << ticket;
  }
};

TEST_F(OutcomesTest, EachIsDeliveredAtItsOffset) {
  AppendMany(3);
  AskMany(1, 4);
  Deliver();
  for (uint64_t i = 0; i < 4; ++i) ExpectDelivered(1 + i, 3 + static_cast<int64_t>(i));
  AskMany(1 + kTickets, 4);  // the same slots
  Deliver();
  for (uint64_t i = 0; i < 4; ++i) ExpectDelivered(1 + kTickets + i, 7 + static_cast<int64_t>(i));
}

TEST_F(OutcomesTest, OfFormats0And1Too) {
  broker_.init_producer_id_version = -1;
  int64_t offset = 0;
  for (const int16_t version : std::initializer_list<int16_t>{0, 1, 2}) {
    broker_.produce_version = version;
    broker_.knows_api_versions = version > 0;
    AskMany(1 + kTickets * static_cast<uint64_t>(version), 5);
    Deliver();
    for (uint64_t i = 0; i < 5; ++i) ExpectDelivered(1 + kTickets * static_cast<uint64_t>(version) + i, offset++);
  }
}

// Of DUPLICATE_SEQUENCE_NUMBER brokers tell no offset.
TEST_F(OutcomesTest, WhereTheBrokerTellsNoOffsetNoneIsKnown) {
  AskMany(1, 2);
  broker_.script[0] = {{.code = 46}};
  Deliver();
  ExpectDelivered(1, -1);
  ExpectDelivered(2, -1);
}

TEST_F(OutcomesTest, OfAWindowThatIsHalvedAndOfTheRest) {
  AskMany(1, 11);
  broker_.most_records = 3;
  Deliver();
  for (uint64_t i = 0; i < 11; ++i) ExpectDelivered(1 + i, static_cast<int64_t>(i));
}

TEST_F(OutcomesTest, OfARecordThatIsRefusedAlone) {
  AskMany(1, 10);
  broker_.refused = {"m4"};
  broker_.most_records = 6;
  Deliver();
  ExpectDiscarded(5, Discard::kRefused);
  for (uint64_t i = 0; i < 10; ++i) {
    if (i != 4) ExpectDelivered(1 + i, static_cast<int64_t>(i < 4 ? i : i - 1));
  }
}

TEST_F(OutcomesTest, OfOneThatIsTooLarge) {
  AskMany(1, 2);
  broker_.script[0] = {{.code = 10}, {.code = 10}};
  Deliver();
  ExpectDiscarded(1, Discard::kTooLarge);
  ExpectDelivered(2, 0);
}

TEST_F(OutcomesTest, OfRecordsThatAWildWriteHit) {
  AskMany(1, 4);
  broker_.script[0] = {{.code = 19}};
  ASSERT_TRUE(LiveUntil([this] { return !broker_.seen[0].empty(); }));
  DamageSent(10);
  broker_.takes_damaged = true;
  Deliver();
  for (uint64_t ticket = 1; ticket < 5; ++ticket) ExpectDiscarded(ticket, Discard::kCorrupt);
}

// The leader has forgotten us, and is asked.
TEST_F(OutcomesTest, OfWhatALookFindsInTheLog) {
  broker_.offers_fetch = broker_.offers_describe_producers = broker_.takes_any_sequence = true;
  AppendMany(2);
  Deliver();
  AskMany(1, 4);
  broker_.script[0] = {{.code = 7, .appends = true}};
  ASSERT_TRUE(LiveUntil([this] { return broker_.seen[0].size() == 2; }));
  broker_.ForgetProducers();
  Deliver();
  EXPECT_EQ(broker_.seen[0].size(), 2u);
  for (uint64_t i = 0; i < 4; ++i) ExpectDelivered(1 + i, 2 + static_cast<int64_t>(i));
}

TEST_F(OutcomesTest, OfLivesThatEndWhereTheyWill) {
  for (uint64_t life = 0; life < 8; ++life) {
    AskMany(1 + 2 * life, 2);
    broker_.script[0] = {{.code = 7, .appends = life % 2 == 0}};
    uint64_t turns = 0;
    ASSERT_TRUE(LiveUntil([&] { return ++turns > life; }));
  }
  Deliver();
  for (uint64_t i = 0; i < 16; ++i) ExpectDelivered(1 + i, static_cast<int64_t>(i));
}

// One signal is that of the start.
TEST_F(OutcomesTest, AnIntakeThatWaitsForThemIsWoken) {
  for (const uint64_t sleep : {0, 1}) {
    segment_.producer().receipt_sleep = sleep;
    AskMany(1 + kTickets * sleep, 1);
    Deliver();
    uint64_t signals = 0;
    ASSERT_EQ(::read(room_bell_.get(), &signals, sizeof(signals)), ssize_t{sizeof(signals)});
    EXPECT_EQ(signals, 1 + sleep);
  }
}

}  // namespace
}  // namespace dory::kafka
