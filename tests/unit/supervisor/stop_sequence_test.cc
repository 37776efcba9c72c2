#include "supervisor/stop_sequence.h"

#include <gtest/gtest.h>

namespace dory::supervisor {
namespace {

StopFacts Asked() {
  StopFacts facts;
  facts.asked = true;
  facts.buffered = 5;
  return facts;
}

TEST(StopSequenceTest, RunsUntilItIsAsked) {
  EXPECT_EQ(NextPhase(StopPhase::kRunning, StopFacts{}), StopPhase::kRunning);
  EXPECT_EQ(NextPhase(StopPhase::kRunning, Asked()), StopPhase::kAccepting);
}

TEST(StopSequenceTest, TheFinalDrainWaitsForConnectionsOnTheirWay) {
  StopFacts facts = Asked();
  facts.intakes_stopped = true;
  EXPECT_EQ(NextPhase(StopPhase::kAccepting, facts), StopPhase::kAccepting);
  facts.accept_time_over = true;
  EXPECT_EQ(NextPhase(StopPhase::kAccepting, facts), StopPhase::kDraining);
  facts.accept_time_over = false;
  facts.handed_over = true;
  EXPECT_EQ(NextPhase(StopPhase::kAccepting, facts), StopPhase::kDraining);
}

TEST(StopSequenceTest, TheFinalDrainIsNotCutByTheTimeForDelivery) {
  StopFacts facts = Asked();
  facts.delivery_time_over = true;
  EXPECT_EQ(NextPhase(StopPhase::kDraining, facts), StopPhase::kDraining);
  facts.intakes_stopped = true;
  EXPECT_EQ(NextPhase(StopPhase::kDraining, facts), StopPhase::kDelivering);
}

TEST(StopSequenceTest, AFinalDrainThatHangsIsGivenUp) {
  StopFacts facts = Asked();
  facts.drain_time_over = true;
  EXPECT_EQ(NextPhase(StopPhase::kDraining, facts), StopPhase::kDelivering);
}

TEST(StopSequenceTest, DeliversUntilNothingIsLeftOrTheTimeIsOver) {
  StopFacts facts = Asked();
  EXPECT_EQ(NextPhase(StopPhase::kDelivering, facts), StopPhase::kDelivering);
  facts.buffered = 0;
  EXPECT_EQ(NextPhase(StopPhase::kDelivering, facts), StopPhase::kEnding);
  facts.buffered = 5;
  facts.delivery_time_over = true;
  EXPECT_EQ(NextPhase(StopPhase::kDelivering, facts), StopPhase::kEnding);
  facts.delivery_time_over = false;
  facts.kafka_workers_hopeless = true;
  EXPECT_EQ(NextPhase(StopPhase::kDelivering, facts), StopPhase::kEnding);
}

TEST(StopSequenceTest, IsDoneWhenTheKafkaWorkersHaveStopped) {
  StopFacts facts = Asked();
  facts.delivery_time_over = true;
  EXPECT_EQ(NextPhase(StopPhase::kEnding, facts), StopPhase::kEnding);
  facts.kafka_workers_stopped = true;
  EXPECT_EQ(NextPhase(StopPhase::kEnding, facts), StopPhase::kEnding);
  facts.status_stopped = true;
  EXPECT_EQ(NextPhase(StopPhase::kEnding, facts), StopPhase::kDone);
  EXPECT_EQ(NextPhase(StopPhase::kDone, facts), StopPhase::kDone);
}

}  // namespace
}  // namespace dory::supervisor
