#include "common/config_change.h"

#include <gtest/gtest.h>

namespace dory {
namespace {

Config Parse(const std::string& text) {
  Result<Config> config = ParseConfigText("[kafka]\nbrokers = a:1\n" + text, "test.conf");
  EXPECT_TRUE(config.ok()) << (config.ok() ? "" : config.status().message());
  return config.Take();
}

std::vector<std::string> Describe(const std::string& before, const std::string& after) {
  std::vector<std::string> lines;
  for (const ConfigChange& change : CompareConfigs(Parse(before), Parse(after))) {
    lines.push_back(DescribeChange(change) + (change.live ? "" : " (restart)"));
  }
  return lines;
}

using Lines = std::vector<std::string>;

TEST(ConfigChangeTest, TheSameWrittenOtherwiseIsNoChange) {
  EXPECT_EQ(Describe("[buffer]\nring_size = 64M\n", "[topic:*]\nbatch_time = 100ms\n"), Lines{});
}

TEST(ConfigChangeTest, EachOptionSaysWhetherItIsLive) {
  EXPECT_EQ(Describe("", "[buffer]\nring_size = 32M\nwhen_full = reject\n[log]\nlevel = debug\n"),
            (Lines{"[buffer] ring_size: 64M -> 32M (restart)", "[buffer] when_full: block -> reject",
                   "[log] level: info -> debug"}));
}

TEST(ConfigChangeTest, TopicsAreComparedByTheirEffectiveOptions) {
  EXPECT_EQ(Describe("[topic:a]\nbatch_time = 1s\n", "[topic:*]\nbatch_time = 1s\n"),
            (Lines{"[topic:*] batch_time: 100ms -> 1s"}));
  EXPECT_EQ(Describe("[topic:a]\nbatch_time = 1s\n", ""), (Lines{"[topic:a] batch_time: 1s -> 100ms"}));
  EXPECT_EQ(Describe("", "[topic:a]\nbatching = off\n"), (Lines{"[topic:a] batching: per_topic -> off"}));
}

TEST(ConfigChangeTest, InputsComeAndGoWithARestart) {
  EXPECT_EQ(Describe("[input:a]\npath = /a\n", "[input:a]\npath = /b\n"), (Lines{"[input:a] path: /a -> /b (restart)"}));
  EXPECT_EQ(Describe("[input:a]\nallow = a\n", "[input:a]\ndeny = b\n"),
            (Lines{"[input:a] allow: a -> empty", "[input:a] deny: empty -> b"}));
  EXPECT_EQ(Describe("[input:a]\npath = /a\n", "[input:b]\npath = /b\n"),
            (Lines{"[input:a]: /a -> none (restart)", "[input:b]: none -> /b (restart)"}));
}

TEST(ConfigChangeTest, ClientsComeAndGo) {
  EXPECT_EQ(Describe("[client:*]\nallow = a\n", "[client:web]\nuid = 33\nrate_limit = 5/1s\n"),
            (Lines{"[client:*] allow: a -> empty", "[client:web] uid: empty -> 33",
                   "[client:web] rate_limit: off -> 5/1s"}));
  const Config fresh = Parse("[client:web]\nuid = 33\n");
  EXPECT_EQ(ApplyLiveOptions(Parse("[client:*]\nallow = a\n"), fresh).clients, fresh.clients);
}

TEST(ConfigChangeTest, AnEmptyTextIsNamed) {
  EXPECT_EQ(Describe("", "[dory]\nuser = dory\n"), (Lines{"[dory] user: empty -> dory (restart)"}));
}

TEST(ConfigChangeTest, OnlyLiveOptionsAreApplied) {
  const Config running = Parse("[topic:a]\nbatch_time = 1s\n");
  const Config fresh =
      Parse("[buffer]\nring_size = 32M\n[log]\nlevel = error\n[dory]\nstop_timeout = 1s\n[topic:b]\nbatch_bytes = 2K\n");
  const Config merged = ApplyLiveOptions(running, fresh);
  EXPECT_EQ(merged.ring_size, running.ring_size);
  EXPECT_EQ(merged.log_level, LogLevel::kError);
  EXPECT_EQ(merged.stop_timeout_ms, 1000);
  EXPECT_EQ(merged.ForTopic("a").batch_time_ms, 100);
  EXPECT_EQ(merged.ForTopic("b").batch_bytes, 2048);
}

TEST(ConfigChangeTest, WhatWasAppliedIsNoChangeAnyMore) {
  const Config fresh = Parse("[log]\nlevel = error\n[topic:b]\nbatch_bytes = 2K\n[topic:*]\ntimestamp = receive\n");
  EXPECT_TRUE(CompareConfigs(ApplyLiveOptions(Parse(""), fresh), fresh).empty());
}

}  // namespace
}  // namespace dory
