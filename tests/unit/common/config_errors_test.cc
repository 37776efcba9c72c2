// Broken configurations: every tests/golden/config/GROUP/NAME.conf is refused with the text of
// NAME.errors, which names file and line, what was read, and what is allowed.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "common/config.h"

namespace dory {
namespace {

const std::filesystem::path kFolder = "tests/golden/config";

// "GROUP/NAME.conf" of each; what lies deeper is included by one of them.
std::vector<std::string> ListBrokenFiles() {
  std::vector<std::string> files;
  for (const auto& group : std::filesystem::directory_iterator(kFolder)) {
    if (!group.is_directory()) continue;
    for (const auto& file : std::filesystem::directory_iterator(group.path())) {
      if (file.path().extension() != ".conf") continue;
      files.push_back(std::filesystem::relative(file.path(), kFolder).string());
    }
  }
  std::ranges::sort(files);
  return files;
}

std::string ReadWhole(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string NameTest(const testing::TestParamInfo<std::string>& file) {
  std::string name = file.param.substr(0, file.param.rfind('.'));
  std::ranges::replace_if(name, [](char c) { return c == '/' || c == '-'; }, '_');
  return name;
}

class ConfigErrorsTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { std::filesystem::current_path(kFolder); }
  void TearDown() override { std::filesystem::current_path(top_); }

 private:
  const std::filesystem::path top_ = std::filesystem::current_path();
};

TEST_P(ConfigErrorsTest, SaysFileLineWhatWasReadAndWhatIsAllowed) {
  const Result<Config> config = LoadConfig(GetParam());
  ASSERT_FALSE(config.ok());
  const std::string expected = ReadWhole(std::filesystem::path(GetParam()).replace_extension(".errors"));
  EXPECT_EQ(config.status().message() + "\n", expected);
}

INSTANTIATE_TEST_SUITE_P(BrokenFiles, ConfigErrorsTest, testing::ValuesIn(ListBrokenFiles()), NameTest);

TEST(BrokenFilesTest, ThereAreManyBrokenFiles) { EXPECT_GE(ListBrokenFiles().size(), 140u); }

}  // namespace
}  // namespace dory
