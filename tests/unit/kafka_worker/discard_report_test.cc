// What is kept of discards and possible duplicates beside their counters.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "shm/report.h"
#include "tests/unit/kafka_worker/worker_fixture.h"

namespace dory::kafka {
namespace {

class DiscardWindowTest : public WorkerFixture {
 protected:
  shm::WorkerReport Report() const { return shm::ReadReport(segment_.check(), shm::Role::kKafka, 0); }
};

TEST_F(DiscardWindowTest, DiscardsHaveTimestampsAndAreInTheRunningWindow) {
  AppendMany(4);
  broker_.script[0] = {{.code = 10}, {.code = 10}, {.code = 10}};
  Deliver();
  const uint32_t counter = shm::ReportCounterOf(shm::Discard::kTooLarge);
  const shm::WorkerReport report = Report();
  ASSERT_GE(report.size(), 1u);
  EXPECT_EQ(report[0].base.at(topic_)[counter], 0u);
  ASSERT_EQ(report[0].spans.size(), 1u);
  EXPECT_EQ(report[0].spans[0].key, shm::SpanKey(topic_, counter));
  EXPECT_GT(report[0].spans[0].first_ms, 0);
  EXPECT_EQ(report[0].spans[0].first_ms, report[0].spans[0].last_ms);
}

TEST_F(DiscardWindowTest, TheDiscardLogHasALineForEach) {
  const std::string path = std::filesystem::temp_directory_path() / ("dory-unit.discards." + std::to_string(::getpid()));
  context_.config.discard_log_path = path;
  AppendMany(4);
  broker_.script[0] = {{.code = 10}, {.code = 10}, {.code = 10}};
  Deliver();  // the life's end waits for the lines
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  std::filesystem::remove(path);
  EXPECT_NE(text.str().find(" event: DISC info: too_large topic: 5[topic] key: 0[] msg: 2[bTA=]\n"), std::string::npos)
      << text.str();
  EXPECT_EQ(std::ranges::count(text.str(), '\n'), 1);
}

}  // namespace
}  // namespace dory::kafka
