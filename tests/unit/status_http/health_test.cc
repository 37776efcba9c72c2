#include "status_http/health.h"

#include <gtest/gtest.h>

#include "tests/unit/status_http/sample_status.h"

namespace dory::status_http {
namespace {

Health JudgeIn(const char* state, Json status = SampleStatus()) {
  status["state"] = state;
  return JudgeHealth(status);
}

TEST(HealthTest, UpIsOk) {
  EXPECT_EQ(JudgeIn("up").code, kOk);
  EXPECT_EQ(JudgeIn("up").text, "ok\n");
}

TEST(HealthTest, AnyOtherStateSaysWhy) {
  EXPECT_EQ(JudgeIn("degraded").code, kUnavailable);
  EXPECT_EQ(JudgeIn("degraded").text, "degraded: kafka-0 is backoff after 6 deaths\n");
  Json status = SampleStatus();
  status["workers"][0]["state"] = "stopped";
  status["workers"][1]["degraded"] = false;
  EXPECT_EQ(JudgeIn("stopping", status).text, "stopping: intake-0 is stopped, kafka-0 is backoff\n");
}

TEST(HealthTest, DoryStatusItselfIsNoReason) {
  Json status = SampleStatus();
  status["workers"][1] = status["workers"][0];
  status["workers"][2]["degraded"] = true;
  EXPECT_EQ(JudgeIn("starting", status).text, "starting\n");
}

}  // namespace
}  // namespace dory::status_http
