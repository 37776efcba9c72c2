#include "doryctl/health.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace dory::doryctl {
namespace {

using Json = nlohmann::json;

Json MakeStatus() {
  return {{"state", "up"},
          {"oldest_message_age_s", nullptr},
          {"books", {{"received", 9}, {"rejected", 1}, {"delivered", 5}, {"discarded", 1}, {"buffered", 2}}},
          {"buffer", {{"ring_used", 10}, {"ring_bytes", 100}, {"pool_used", 50}, {"pool_bytes", 100}}},
          {"workers", {{{"name", "kafka-0"}, {"state", "up"}, {"degraded", false}, {"deaths", 0}}}},
          {"warnings", Json::array()}};
}

Health Judge(const Json& status) { return JudgeHealth(status.dump(), HealthLimits{}); }

TEST(HealthTest, AllIsWell) {
  const Health health = Judge(MakeStatus());
  EXPECT_EQ(health.level, HealthLevel::kOk);
  EXPECT_TRUE(health.reasons.empty());
  EXPECT_EQ(health.performance,
            "oldest=0s;60;600;0 ring=10%;80;95;0 pool=50%;80;95;0 received=9c rejected=1c delivered=5c discarded=1c "
            "buffered=2");
}

TEST(HealthTest, EachFigureHasTwoLimits) {
  Json status = MakeStatus();
  status["oldest_message_age_s"] = 61.25;
  EXPECT_EQ(Judge(status).level, HealthLevel::kWarning);
  EXPECT_EQ(Judge(status).reasons, std::vector<std::string>{"oldest 61.2s"});
  status["buffer"]["ring_used"] = 95;
  EXPECT_EQ(Judge(status).level, HealthLevel::kCritical);
}

TEST(HealthTest, StatesAndWorkers) {
  Json status = MakeStatus();
  status["state"] = "draining";
  EXPECT_EQ(Judge(status).level, HealthLevel::kWarning);
  status["state"] = "degraded";
  EXPECT_EQ(Judge(status).level, HealthLevel::kCritical);
  status = MakeStatus();
  status["workers"][0]["state"] = "parked";
  EXPECT_EQ(Judge(status).reasons, std::vector<std::string>{"kafka-0 is parked, 0 deaths"});
}

TEST(HealthTest, WarningsAreReasons) {
  Json status = MakeStatus();
  status["warnings"] = {{{"name", "max_dgram_qlen"}, {"text", "low"}}};
  EXPECT_EQ(Judge(status).level, HealthLevel::kWarning);
  EXPECT_EQ(Judge(status).reasons, std::vector<std::string>{"low"});
}

TEST(HealthTest, APoolThatNobodyToldIsNoFigure) {
  Json status = MakeStatus();
  status["buffer"]["pool_used"] = nullptr;
  EXPECT_EQ(Judge(status).level, HealthLevel::kOk);
  EXPECT_EQ(Judge(status).performance.find("pool="), std::string::npos);
}

TEST(HealthTest, WhatCanNotBeReadIsUnknown) {
  EXPECT_EQ(JudgeHealth("{", HealthLimits{}).level, HealthLevel::kUnknown);
  EXPECT_EQ(JudgeHealth("{}", HealthLimits{}).level, HealthLevel::kUnknown);
}

}  // namespace
}  // namespace dory::doryctl
