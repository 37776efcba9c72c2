#include "intake_worker/assemble.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/unit/intake_worker/client_message.h"

namespace dory::intake {
namespace {

using shm::Reject;

constexpr uint64_t kLimit = 1000;

Assembled AssembleAll(const std::string& bytes, std::vector<ByteSpan>* messages, size_t at_most = 16) {
  messages->assign(at_most, {});
  const Assembled found = Assemble(AsBytes(bytes), kLimit, *messages);
  messages->resize(found.count);
  return found;
}

TEST(AssembleTest, NothingOfNothing) {
  std::vector<ByteSpan> messages;
  const Assembled found = AssembleAll("", &messages);
  EXPECT_EQ(found.count, 0u);
  EXPECT_EQ(found.end, 0u);
  EXPECT_EQ(found.next_size, 0u);
  EXPECT_FALSE(found.fault);
}

TEST(AssembleTest, WholeMessagesAndWhatTheNextOneTakes) {
  const std::string first = ClientMessage{.value = "first"}.Bytes();
  const std::string second = ClientMessage{.value = "the second"}.Bytes();
  std::vector<ByteSpan> messages;
  const std::string bytes = first + second + first.substr(0, 5);
  const Assembled found = AssembleAll(bytes, &messages);
  ASSERT_EQ(found.count, 2u);
  EXPECT_EQ(AsText(messages[0]), first);
  EXPECT_EQ(AsText(messages[1]), second);
  EXPECT_EQ(found.end, first.size() + second.size());
  EXPECT_EQ(found.next_size, first.size());
}

TEST(AssembleTest, ASizeOfWhichBytesAreMissingIsNotKnown) {
  const std::string message = ClientMessage{}.Bytes();
  std::vector<ByteSpan> messages;
  EXPECT_EQ(AssembleAll(message + message.substr(0, 3), &messages).next_size, 0u);
}

TEST(AssembleTest, AtMostAsManyAsThereArePlaces) {
  const std::string message = ClientMessage{}.Bytes();
  std::vector<ByteSpan> messages;
  const Assembled found = AssembleAll(message + message + message, &messages, 2);
  EXPECT_EQ(found.count, 2u);
  EXPECT_EQ(found.end, 2 * message.size());
  EXPECT_EQ(found.next_size, message.size());
}

TEST(AssembleTest, ASizeThatIsNoneIsAFaultBehindTheMessagesBeforeIt) {
  const std::string message = ClientMessage{}.Bytes();
  const struct {
    std::string bytes;
    Reject fault;
  } kFaults[] = {
      {std::string("\0\0\0\0", 4), Reject::kMalformed},
      {std::string("\0\0\0\7", 4), Reject::kMalformed},
      {"\xff\xff\xff\xff", Reject::kMalformed},
      {std::string("\x80\0\0\0", 4), Reject::kMalformed},
      {std::string("\0\0\x03\xe9", 4), Reject::kTooLong},
      {"\x7f\xff\xff\xff", Reject::kTooLong},
  };
  for (const auto& [bytes, fault] : kFaults) {
    std::vector<ByteSpan> messages;
    const Assembled found = AssembleAll(message + bytes + "more", &messages);
    EXPECT_EQ(found.count, 1u);
    EXPECT_EQ(found.end, message.size());
    ASSERT_TRUE(found.fault);
    EXPECT_EQ(*found.fault, fault);
  }
}

TEST(AssembleTest, AMessageOfTheLimitIsWhole) {
  const std::string message = ClientMessage{.value = std::string(kLimit - 33, 'v')}.Bytes();
  ASSERT_EQ(message.size(), kLimit);
  std::vector<ByteSpan> messages;
  EXPECT_EQ(AssembleAll(message, &messages).count, 1u);
}

// However a stream is cut into reads.
TEST(AssembleTest, AnySplitGivesTheSameMessages) {
  std::mt19937 random(7);
  std::string stream;
  std::vector<std::string> sent;
  for (int i = 0; i < 50; ++i) {
    sent.push_back(ClientMessage{.value = std::string(random() % 400, static_cast<char>('a' + i % 26))}.Bytes());
    stream += sent.back();
  }
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<std::string> found;
    std::string held;
    for (size_t at = 0; at < stream.size();) {
      const size_t step = std::min<size_t>(stream.size() - at, 1 + random() % (trial < 100 ? 8 : 900));
      held += stream.substr(at, step);
      at += step;
      for (std::vector<ByteSpan> messages; AssembleAll(held, &messages, 3).count > 0;) {
        size_t end = 0;
        for (const ByteSpan message : messages) {
          found.emplace_back(AsText(message));
          end += message.size();
        }
        held.erase(0, end);
      }
    }
    ASSERT_EQ(found, sent);
    ASSERT_EQ(held, "");
  }
}

}  // namespace
}  // namespace dory::intake
