#include "kafka_worker/refusal.h"

#include <gtest/gtest.h>

namespace dory::kafka {
namespace {

TEST(RefusalTest, ItStandsFromTheFirstWordToTheNewest) {
  Refusal refusal = NoteRefused({}, 1000);
  EXPECT_TRUE(refusal.Stands());
  refusal = NoteRefused(refusal, 1500);
  EXPECT_EQ(refusal, (Refusal{1000, 1500, 0}));
}

TEST(RefusalTest, WhileNobodySaysSoNoTimeIsCounted) {
  Refusal refusal = NoteSilent(NoteRefused({}, 1000), 1200);
  EXPECT_FALSE(refusal.Stands());
  EXPECT_FALSE(IsRefusedTooLong(refusal, 9000, 100, 9000));
  refusal = NoteRefused(NoteSilent(refusal, 5000), 9000);  // the first silence counts
  EXPECT_EQ(refusal, (Refusal{8800, 9000, 0}));
}

TEST(RefusalTest, SilenceAloneIsNone) { EXPECT_EQ(NoteSilent({}, 1000), Refusal{}); }

TEST(RefusalTest, OfSeveralThatAllRefuseTheYoungestCounts) {
  const Refusal old = {1000, 9000, 0};
  const Refusal young = {5000, 6000, 0};
  EXPECT_EQ(Join(old, young), (Refusal{5000, 6000, 0}));
  EXPECT_FALSE(Join(old, {}).Stands());
  EXPECT_FALSE(Join({}, old).Stands());
  EXPECT_FALSE(Join(old, NoteSilent(young, 7000)).Stands());
}

TEST(RefusalTest, TheDeadlineRunsWhileBothTheRefusalStandsAndTheMessageWaits) {
  const Refusal refusal = {1000, 3900, 0};
  EXPECT_TRUE(IsRefusedTooLong(refusal, 3000, 3000, 4000));
  EXPECT_FALSE(IsRefusedTooLong(refusal, 2999, 3000, 4000));
  EXPECT_FALSE(IsRefusedTooLong(refusal, 9000, 3000, 3999));
  EXPECT_FALSE(IsRefusedTooLong(refusal, 9000, 0, 9000));  // there is none
  EXPECT_FALSE(IsRefusedTooLong({}, 9000, 1, 9000));
}

// Nobody tried again: what was said before the message came says nothing of it.
TEST(RefusalTest, AWordFromBeforeTheMessageSaysNothing) {
  EXPECT_FALSE(IsRefusedTooLong({1000, 1000, 0}, 3000, 3000, 60'000));
  EXPECT_TRUE(IsRefusedTooLong({1000, 58'000, 0}, 3000, 3000, 60'000));
}

TEST(RefusalTest, TheMemoryGoesByAddress) {
  RefusalMemory memory;
  memory.NoteEnd({"a", 1}, true, "a bad certificate", 1000);
  memory.NoteEnd({"b", 1}, false, "cut", 1000);
  EXPECT_TRUE(memory.Of({"a", 1}).Stands());
  EXPECT_EQ(memory.WhyOf({"a", 1}), "a bad certificate");
  EXPECT_FALSE(memory.Of({"b", 1}).Stands());
  memory.NoteEnd({"a", 1}, false, "cut", 1100);
  EXPECT_FALSE(memory.Of({"a", 1}).Stands());
  EXPECT_EQ(memory.WhyOf({"a", 1}), "");
  EXPECT_FALSE(memory.empty());
  memory.NoteAccepted({"a", 1});
  EXPECT_TRUE(memory.empty());
}

TEST(RefusalTest, WhatNobodyHasAnyMoreIsForgotten) {
  RefusalMemory memory;
  memory.NoteEnd({"a", 1}, true, "a bad certificate", 1000);
  memory.NoteEnd({"a", 2}, true, "a bad certificate", 1000);
  memory.KeepOnly({{"a", 2}, {"c", 1}});
  EXPECT_FALSE(memory.Of({"a", 1}).Stands());
  EXPECT_TRUE(memory.Of({"a", 2}).Stands());
  memory.KeepOnly({});
  EXPECT_TRUE(memory.empty());
}

}  // namespace
}  // namespace dory::kafka
