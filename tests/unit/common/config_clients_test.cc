// [client:NAME]: who the sections are for, and what they take from [client:*].

#include "common/config_clients.h"

#include <gtest/gtest.h>

#include "common/credentials.h"

namespace dory {
namespace {

Config ParseWhole(const std::string& text) {
  Result<Config> config = ParseConfigText(text, "test.conf");
  EXPECT_TRUE(config.ok()) << (config.ok() ? "" : config.status().message());
  return config.ok() ? config.Take() : Config{};
}

Config Parse(const std::string& text) { return ParseWhole("[kafka]\nbrokers = a:1\n" + text); }

using Uids = std::vector<uint32_t>;

TEST(ConfigClientsTest, UsersAreNumbersAndNames) {
  const Config config = Parse("[client:web]\nuid = 4294967294, 0\n[client:both]\nuid = 7\nuser = daemon , bin\n");
  EXPECT_EQ(config.clients.at("web").uids, (Uids{4294967294, 0}));
  EXPECT_EQ(config.clients.at("both").uids, (Uids{7, 1, 2}));
  EXPECT_EQ(config.clients.at("both").user, "daemon , bin");
}

TEST(ConfigClientsTest, ADumpHasNumbersAlone) {
  const Config config = Parse("[client:*]\nallow = a\n[client:both]\nuid = 7\nuser = daemon\nrate_limit = 5/1s\n");
  const Config again = ParseWhole(DumpConfig(config));
  EXPECT_EQ(again, config);
  EXPECT_EQ(again.clients.at("both").uids, (Uids{7, 1}));
  EXPECT_EQ(again.clients.at("both").user, "");
  EXPECT_EQ(again.clients.at("both").allow, "a");
  EXPECT_EQ(again.clients.at("both").rate_limit, (Rate{5, 1000}));
  EXPECT_EQ(again.clients.at("*").uids, Uids{});
}

TEST(ConfigClientsTest, AsManyUsersAsThereMayBeFitIntoADump) {
  std::string uids = "4294967279";
  for (uint32_t uid = 4294967280; uid < kNoUid; ++uid) uids += "," + std::to_string(uid);
  const Config config = Parse("[client:many]\nuid = " + uids + "\n");
  EXPECT_EQ(config.clients.at("many").uids.size(), 16u);
  EXPECT_EQ(ParseWhole(DumpConfig(config)).clients.at("many").uids, config.clients.at("many").uids);
}

TEST(ConfigClientsTest, ASectionTakesFromTheOneForAllWhatItDoesNotSet) {
  const Config config = Parse(
      "[client:none]\nuid = 1\n[client:rate]\nuid = 2\nrate_limit = off\n[client:allow]\nuid = 3\nallow = x\n"
      "[client:free]\nuid = 4\ndeny =\nrate_limit = 9/1s\n[client:*]\nallow = a\ndeny = b\nrate_limit = 5/1s\n");
  const auto limits_of = [&config](const std::string& name) {
    const ClientConfig& client = config.clients.at(name);
    return client.allow + "|" + client.deny + "|" + std::to_string(client.rate_limit.count);
  };
  EXPECT_EQ(limits_of("none"), "a|b|5");
  EXPECT_EQ(limits_of("rate"), "a|b|0");
  EXPECT_EQ(limits_of("allow"), "x||5");
  EXPECT_EQ(limits_of("free"), "||9");
}

TEST(ConfigClientsTest, ASectionForAllThatLimitsNobodyIsNone) {
  EXPECT_TRUE(Parse("[client:*]\nallow =\nrate_limit = off\n").clients.empty());
  EXPECT_EQ(Parse("[client:*]\n"), Parse(""));
}

}  // namespace
}  // namespace dory
