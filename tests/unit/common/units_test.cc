#include "common/units.h"

#include <gtest/gtest.h>

#include <limits>

namespace dory {
namespace {

constexpr int64_t kFailed = -1;

template <typename T>
T ValueOr(Result<T> result, T failed) {
  return result.ok() ? result.Take() : failed;
}

TEST(UnitsTest, SizesAreBytesInPowersOfTwo) {
  EXPECT_EQ(ValueOr(ParseSize("0"), kFailed), 0);
  EXPECT_EQ(ValueOr(ParseSize("65536"), kFailed), 65536);
  EXPECT_EQ(ValueOr(ParseSize("64K"), kFailed), 65536);
  EXPECT_EQ(ValueOr(ParseSize("256M"), kFailed), 268435456);
  EXPECT_EQ(ValueOr(ParseSize("64G"), kFailed), 68719476736);
  for (const char* text : {"", "K", "-1", "1.5M", "1 M", "64KB", "64k", " 1", "0x10", "1T", "+1"}) {
    EXPECT_EQ(ValueOr(ParseSize(text), kFailed), kFailed) << text;
  }
}

TEST(UnitsTest, DurationsNeedAUnit) {
  EXPECT_EQ(ValueOr(ParseDuration("0ms"), kFailed), 0);
  EXPECT_EQ(ValueOr(ParseDuration("500ms"), kFailed), 500);
  EXPECT_EQ(ValueOr(ParseDuration("10s"), kFailed), 10'000);
  EXPECT_EQ(ValueOr(ParseDuration("5m"), kFailed), 300'000);
  EXPECT_EQ(ValueOr(ParseDuration("2h"), kFailed), 7'200'000);
  for (const char* text : {"", "10", "10 s", "s", "-1s", "1d", "1us", "1m30s", "1.5s"}) {
    EXPECT_EQ(ValueOr(ParseDuration(text), kFailed), kFailed) << text;
  }
}

TEST(UnitsTest, PercentagesEndAtAHundred) {
  EXPECT_EQ(ValueOr(ParsePercent("0%"), kFailed), 0);
  EXPECT_EQ(ValueOr(ParsePercent("100%"), kFailed), 100);
  for (const char* text : {"", "25", "%", "101%", "-1%", "2.5%"}) {
    EXPECT_EQ(ValueOr(ParsePercent(text), kFailed), kFailed) << text;
  }
}

TEST(UnitsTest, ModesAreOctal) {
  EXPECT_EQ(ValueOr(ParseMode("0222"), kFailed), 0222);
  EXPECT_EQ(ValueOr(ParseMode("660"), kFailed), 0660);
  for (const char* text : {"", "0888", "1777", "-1", "rw-", "0x1"}) {
    EXPECT_EQ(ValueOr(ParseMode(text), kFailed), kFailed) << text;
  }
}

TEST(UnitsTest, RatesAreACountInATime) {
  EXPECT_EQ(ValueOr(ParseRate("1000/10s"), Rate{}), (Rate{1000, 10'000}));
  for (const char* text : {"", "1000", "1000/", "/10s", "0/10s", "1000/10", "1000/0s", "-1/1s", "1/25h"}) {
    EXPECT_EQ(ValueOr(ParseRate(text), Rate{}), Rate{}) << text;
  }
}

TEST(UnitsTest, IntegersAreWhole) {
  EXPECT_EQ(ValueOr(ParseInteger("4096"), kFailed), 4096);
  EXPECT_EQ(ValueOr(ParseInteger("-7"), kFailed), -7);
  for (const char* text : {"", "1.0", "1K", "one"}) {
    EXPECT_EQ(ValueOr(ParseInteger(text), kFailed), kFailed) << text;
  }
}

TEST(UnitsTest, WhatIsTooLargeIsTheLargest) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(ValueOr(ParseInteger("99999999999999999999"), kFailed), kMost);
  EXPECT_EQ(ValueOr(ParseInteger("-99999999999999999999"), kFailed), -kMost);
  EXPECT_EQ(ValueOr(ParseSize("9223372036854775808"), kFailed), kMost);
  EXPECT_EQ(ValueOr(ParseSize("9223372036854775807K"), kFailed), kMost);
  EXPECT_EQ(ValueOr(ParseDuration("9223372036854775807s"), kFailed), kMost);
  EXPECT_EQ(ValueOr(ParseDuration("-99999999999999999999s"), kFailed), kFailed);
  EXPECT_EQ(ValueOr(ParseMode("99999999999999999999777"), kFailed), kFailed);
  EXPECT_EQ(ValueOr(ParseRate("1/9223372036854775807h"), Rate{}), Rate{});
}

TEST(UnitsTest, HostsHavePorts) {
  Result<std::vector<HostPort>> list = ParseHostPorts("127.0.0.1:9092 , [::1]:9093,kafka-1.x_y:1");
  ASSERT_TRUE(list.ok()) << list.status().message();
  EXPECT_EQ(list.value(), (std::vector<HostPort>{
                              {"127.0.0.1", 9092}, {"::1", 9093}, {"kafka-1.x_y", 1}}));
  EXPECT_EQ(FormatHostPorts(list.value()), "127.0.0.1:9092,[::1]:9093,kafka-1.x_y:1");
  for (const char* text : {"", "a", "a:", ":1", "a:0", "a:65536", "a:1,", ",a:1", "a:1,a:1",
                           "a:1 b:2", "::1:9092", "[::1]", "[::g]:1", "[a]:1", "[]:1", "a:9x"}) {
    EXPECT_FALSE(ParseHostPorts(text).ok()) << text;
  }
}

TEST(UnitsTest, WhatIsFormattedIsReadBack) {
  for (const char* text : {"0", "1", "1023", "1K", "1025", "64M", "3G"}) {
    EXPECT_EQ(FormatSize(ParseSize(text).value()), text);
  }
  for (const char* text : {"0ms", "1ms", "1s", "1500ms", "90s", "5m", "2h"}) {
    EXPECT_EQ(FormatDuration(ParseDuration(text).value()), text);
  }
  for (const char* text : {"0000", "0222", "0660", "0777"}) {
    EXPECT_EQ(FormatMode(ParseMode(text).value()), text);
  }
  EXPECT_EQ(FormatRate(ParseRate("1000/10s").value()), "1000/10s");
  EXPECT_EQ(FormatPercent(ParsePercent("25%").value()), "25%");
  EXPECT_EQ(FormatDuration(ParseDuration("60s").value()), "1m");
}

}  // namespace
}  // namespace dory
