#include "supervisor/file_facts.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <ctime>

#include "common/file_descriptor.h"

namespace dory::supervisor {
namespace {

TEST(FileFactsTest, ABirthTimeIsThePastsOrUnknown) {
  const FileDescriptor file(::open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_TRUE(file.valid());
  const std::optional<int64_t> birth = ReadBirthTime(file.get());
  if (birth) {
    EXPECT_LE(*birth, std::time(nullptr));
    EXPECT_GT(*birth, 1'000'000'000);
  }
  EXPECT_FALSE(ReadBirthTime(-1));
}

}  // namespace
}  // namespace dory::supervisor
