#include "intake_worker/permissions.h"

#include <gtest/gtest.h>

#include "tests/unit/intake_worker/lane_fixture.h"

namespace dory::intake {
namespace {

using shm::Reject;

InputConfig Input(const std::string& allow, const std::string& deny) {
  InputConfig input;
  input.allow = allow;
  input.deny = deny;
  return input;
}

TEST(PermissionsTest, ThereAreNoneByDefault) {
  const InputConfig free = Input("", "");
  Permissions permissions;
  permissions.Configure({free});
  EXPECT_FALSE(permissions.AreAny());
}

TEST(PermissionsTest, EachInputHasItsOwn) {
  const InputConfig some = Input("orders, web-*", "web-secret*, orders.x");
  const InputConfig free = Input("", "");
  const InputConfig not_one = Input("", "orders");
  Permissions permissions;
  permissions.Configure({some, free, not_one});
  ASSERT_TRUE(permissions.AreAny());
  const std::vector<std::pair<std::string, bool>> topics = {
      {"orders", true}, {"web-", true}, {"web-log", true}, {"web-secrets", false}, {"web", false}, {"Orders", false}};
  for (int again = 0; again < 2; ++again) {
    for (uint32_t row = 0; row < topics.size(); ++row) {
      const auto& [topic, allowed] = topics[row];
      EXPECT_EQ(permissions.Allow(0, row, topic), allowed) << topic;
      EXPECT_TRUE(permissions.Allow(1, row, topic)) << topic;
      EXPECT_EQ(permissions.Allow(2, row, topic), topic != "orders") << topic;
    }
  }
}

class PermissionsOfALane : public LaneFixture {};

TEST_F(PermissionsOfALane, WhatIsNotAllowedIsRejectedUnderItsTopic) {
  MakeSegment(64 * 1024, 3);
  StartLane();
  InputConfig first = Input("one*", "");
  const InputConfig second = Input("", "");
  lane_->permissions().Configure({first, second});
  for (uint32_t input = 0; input < 2; ++input) {
    Send({.topic = "one", .value = "one from " + std::to_string(input)}, input);
    Send({.topic = "two", .value = "two from " + std::to_string(input)}, input);
    Receive(input);
  }
  EXPECT_EQ(Consume(), (std::vector<std::string>{"one from 0", "one from 1", "two from 1"}));
  EXPECT_EQ(Books().RejectedFor(Reject::kNotAllowed), 1u);
  EXPECT_EQ(Books().topics.at(1).rejected[static_cast<size_t>(Reject::kNotAllowed)], 1u);
  first.allow = "two";  // a reload
  lane_->permissions().Configure({first, second});
  Send({.topic = "one", .value = "refused"});
  Send({.topic = "two", .value = "taken"});
  Receive();
  EXPECT_EQ(Consume(), std::vector<std::string>{"taken"});
}

}  // namespace
}  // namespace dory::intake
