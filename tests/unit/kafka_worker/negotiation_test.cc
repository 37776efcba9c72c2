#include "kafka_worker/negotiation.h"

#include <gtest/gtest.h>

namespace dory::kafka {
namespace {

const HostPort kBroker{"broker", 9092};

TEST(NegotiationTest, OnlyOneThatLivesAndRefusesApiVersionsIsOld) {
  NegotiationMemory memory;
  EXPECT_EQ(memory.Choose(kBroker), Negotiation::kAsk);
  memory.NoteRefused(kBroker, Negotiation::kAsk, false);
  EXPECT_EQ(memory.Choose(kBroker), Negotiation::kProbe);
  memory.NoteRefused(kBroker, Negotiation::kProbe, false);  // a proxy whose broker is away
  EXPECT_EQ(memory.Choose(kBroker), Negotiation::kAsk);
  memory.NoteRefused(kBroker, Negotiation::kAsk, false);
  memory.NoteRefused(kBroker, Negotiation::kProbe, true);
  EXPECT_EQ(memory.Choose(kBroker), Negotiation::kOldest);
}

TEST(NegotiationTest, AnOldOneIsAskedAgainWithEachConnection) {
  NegotiationMemory memory;
  memory.NoteEnd(kBroker);
  EXPECT_EQ(memory.Choose(kBroker), Negotiation::kProbe);
  memory.NoteAnswered(kBroker);
  EXPECT_EQ(memory.Choose(kBroker), Negotiation::kAsk);
}

TEST(NegotiationTest, EachAddressHasItsOwn) {
  NegotiationMemory memory;
  memory.NoteRefused(kBroker, Negotiation::kProbe, true);
  EXPECT_EQ(memory.Choose({"broker", 9093}), Negotiation::kAsk);
  EXPECT_EQ(memory.Choose({"other", 9092}), Negotiation::kAsk);
}

TEST(NegotiationTest, WhatNobodyHasAnyMoreIsForgotten) {
  NegotiationMemory memory;
  memory.NoteEnd(kBroker);
  memory.NoteEnd({"other", 9092});
  memory.KeepOnly({{kBroker.host, kBroker.port}});
  EXPECT_EQ(memory.Choose(kBroker), Negotiation::kProbe);
  EXPECT_EQ(memory.Choose({"other", 9092}), Negotiation::kAsk);
  EXPECT_FALSE(memory.empty());
  memory.KeepOnly({});
  EXPECT_TRUE(memory.empty());
}

}  // namespace
}  // namespace dory::kafka
