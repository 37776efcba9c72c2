#include "common/discard_log.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "common/log.h"

namespace dory {
namespace {

class DiscardLogTest : public ::testing::Test {
 protected:
  DiscardLogTest() {
    (void)OpenLog("unit_tests", "/dev/null", LogLevel::kError);
    char folder[] = "/tmp/dory-unit.XXXXXX";
    folder_ = ::mkdtemp(folder);
    path_ = folder_ + "/discards";
  }
  ~DiscardLogTest() override { std::filesystem::remove_all(folder_); }

  static std::string Read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  std::vector<std::string> ListArchives() const {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.path().string().starts_with(path_ + ".")) paths.push_back(entry.path().string());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  std::string folder_;
  std::string path_;
};

TEST_F(DiscardLogTest, ALineHasTheOldShape) {
  const DiscardLine line{.timestamp_ms = -5,
                         .reason = "refused",
                         .topic = "to\npic",
                         .key = AsBytes("key"),
                         .message = AsBytes("message")};
  EXPECT_EQ(FormatDiscardLine(line, 1795356785123, 4),
            "now: 1795356785123 ts: -5 event: DISC info: refused topic: 6[to?pic] key: 3[a2V5] msg: 7[bWVzcw==]\n");
  EXPECT_EQ(FormatDiscardLine({.is_duplicate = true, .reason = "r", .topic = "t"}, 1, 0),
            "now: 1 ts: 0 event: DUP info: r topic: 1[t] key: 0[] msg: 0[]\n");
}

TEST_F(DiscardLogTest, OffNothingIsWritten) {
  DiscardLog log;
  EXPECT_FALSE(log.is_on());
  log.Add({.reason = "r"});
  log.Configure({path_, {1000, 1000}, 10});
  log.Configure({});
  EXPECT_FALSE(log.is_on());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(DiscardLogTest, LinesAreThereOnceItIsFinishedForTheOwnerAlone) {
  DiscardLog log;
  log.Configure({path_, {1000, 1000}, 10});
  log.Add({.reason = "first"});
  log.Add({.reason = "second"});
  log.Finish();
  const std::string text = Read(path_);
  EXPECT_LT(text.find("info: first "), text.find("info: second ")) << text;
  struct stat facts;
  ASSERT_EQ(::stat(path_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777u, 0600u);
}

TEST_F(DiscardLogTest, ItsRateIsBounded) {
  DiscardLog log;
  log.Configure({path_, {1 << 20, 0}, 0});
  for (int i = 0; i < 5 * DiscardLog::kLinesPerSecond; ++i) log.Add({.reason = "r"});
  log.Finish();
  const std::string text = Read(path_);
  const auto lines = std::count(text.begin(), text.end(), '\n');
  EXPECT_GE(lines, DiscardLog::kLinesPerSecond);
  EXPECT_LT(lines, 5 * DiscardLog::kLinesPerSecond);
}

TEST_F(DiscardLogTest, AFileThatIsFullIsRenamedAndTheOldestAreDeleted) {
  const std::string line(99, 'x');
  RotatedFile file(path_, {250, 450});
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(file.Append(line + std::to_string(i) + "\n").ok());
  EXPECT_EQ(Read(path_).size(), 202u);
  const std::vector<std::string> archives = ListArchives();
  ASSERT_EQ(archives.size(), 2u);
  EXPECT_EQ(Read(archives[0]).substr(99, 1), "4");
  EXPECT_EQ(Read(archives[1]).substr(99, 1), "6");
  EXPECT_EQ(archives[0].substr(path_.size() + 1).find_first_not_of("0123456789"), std::string::npos);
}

TEST_F(DiscardLogTest, TwoWritersOfOneFileLoseNothing) {
  RotatedFile one(path_, {1000, 1 << 20});
  RotatedFile other(path_, {1000, 1 << 20});
  const std::string line(99, 'x');
  for (int i = 0; i < 100; ++i) ASSERT_TRUE((i % 3 == 0 ? one : other).Append(line + "\n").ok());
  size_t bytes = Read(path_).size();
  for (const std::string& archive : ListArchives()) {
    EXPECT_LE(Read(archive).size(), 1000u);
    bytes += Read(archive).size();
  }
  EXPECT_EQ(bytes, 100 * 100u);
}

TEST_F(DiscardLogTest, AFileThatIsMovedAwayIsBegunAnew) {
  RotatedFile file(path_, {1000, 1000});
  ASSERT_TRUE(file.Append("one\n").ok());
  std::filesystem::rename(path_, folder_ + "/elsewhere");
  ASSERT_TRUE(file.Append("two\n").ok());
  EXPECT_EQ(Read(path_), "two\n");
}

TEST_F(DiscardLogTest, AFailingDiskIsSaidAndPasses) {
  DiscardLog log;
  log.Configure({"/dev/full", {1000, 1000}, 10});
  log.Add({.reason = "r"});
  while (log.Trouble().empty()) std::this_thread::yield();
  EXPECT_EQ(log.Trouble(), "/dev/full: write: No space left on device");
  log.Configure({path_, {1000, 1000}, 10});
  log.Add({.reason = "r"});
  EXPECT_EQ(log.Trouble(), "");
  log.Finish();
  EXPECT_NE(Read(path_), "");
}

}  // namespace
}  // namespace dory
