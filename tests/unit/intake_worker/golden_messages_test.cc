// Messages that none of our encoders has written: tests/golden/messages.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "clients/c/dory_client.h"
#include "intake_worker/parse.h"
#include "shm/books.h"
#include "tests/unit/intake_worker/client_message.h"

namespace dory::intake {
namespace {

constexpr const char* kFolder = "tests/golden/messages";
constexpr const char* kReceiptsFolder = "tests/golden/messages/receipts";
constexpr size_t kLimit = 64 * 1024;

struct Golden {
  std::string bytes;
  std::string verdict;
};

std::string Unhex(const std::string& digits) {
  std::string bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::map<std::string, Golden> ReadAll(const std::string& folder = kFolder) {
  std::map<std::string, Golden> all;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".hex") continue;
    Golden& golden = all[entry.path().stem().string()];
    std::ifstream file(entry.path());
    std::string line;
    std::getline(file, line);
    std::getline(file, golden.verdict);
    while (std::getline(file, line)) golden.bytes += Unhex(line.substr(0, line.find_first_of(" #")));
  }
  return all;
}

// "# rejected as REASON..." as REASON, "# accepted" as nothing.
std::string ReasonOf(const std::string& verdict) {
  const std::string kBegin = "# rejected as ";
  if (!verdict.starts_with(kBegin)) return verdict == "# accepted" ? "" : "?";
  return verdict.substr(kBegin.size(), verdict.find_first_of(",;") - kBegin.size());
}

TEST(GoldenMessagesTest, AreAcceptedOrRejectedAsTheySay) {
  const std::map<std::string, Golden> all = ReadAll();
  ASSERT_GE(all.size(), 35u);
  for (const auto& [name, golden] : all) {
    const ParseResult parsed = Parse(AsBytes(golden.bytes), false, kLimit);
    EXPECT_EQ(parsed.reject ? shm::NameOf(*parsed.reject) : "", ReasonOf(golden.verdict)) << name;
  }
}

// What each of the good ones says, written down once more.
const std::map<std::string, ClientMessage> kGood = {
    {"any", {.topic = "orders", .value = "hello"}},
    {"any.key", {.topic = "orders", .key = "customer-17", .value = "hello"}},
    {"any.empty", {.topic = "orders", .value = ""}},
    {"key", {.api_key = 257, .partition_key = 11, .topic = "orders", .key = "11", .value = "hello"}},
    {"key.largest", {.api_key = 257, .partition_key = -1, .topic = "A-z_0.9", .timestamp_ms = -1, .value = "hello"}},
    {"any.v1",
     {.api_version = 1,
      .topic = "orders",
      .key = "k",
      .value = "hello",
      .headers = {{"trace", "abc"}, {"none", std::nullopt}, {"", ""}}}},
    {"any.v1.null", {.api_version = 1, .topic = "orders", .value = "", .null_key = true, .null_value = true}},
    {"key.v1.empty", {.api_key = 257, .api_version = 1, .partition_key = 3, .topic = "orders", .value = ""}},
};

TEST(GoldenMessagesTest, TheParserReadsEachField) {
  const std::map<std::string, Golden> all = ReadAll();
  for (const auto& [name, wanted] : kGood) {
    SCOPED_TRACE(name);
    const ParseResult parsed = Parse(AsBytes(all.at(name).bytes), false, kLimit);
    ASSERT_FALSE(parsed.reject);
    const ParsedMessage& message = parsed.message;
    EXPECT_EQ(message.kind == shm::MessageKind::kPartitionKey, wanted.api_key == 257);
    EXPECT_EQ(message.partition_key, wanted.api_key == 257 ? static_cast<uint32_t>(wanted.partition_key) : 0);
    EXPECT_EQ(message.topic, wanted.topic);
    EXPECT_EQ(message.timestamp_ms, wanted.timestamp_ms);
    const bool null_key = wanted.api_version == 1 ? wanted.null_key : wanted.key.empty();
    EXPECT_EQ(message.key.has_value(), !null_key);
    EXPECT_EQ(AsText(message.key.value_or(ByteSpan())), wanted.key);
    EXPECT_EQ(message.value.has_value(), !wanted.null_value);
    EXPECT_EQ(AsText(message.value.value_or(ByteSpan())), wanted.value);
    std::vector<std::pair<std::string, std::optional<std::string>>> headers;
    ForEachHeader(message, [&headers](ByteSpan header, std::optional<ByteSpan> value) {
      headers.emplace_back(AsText(header), value ? std::optional(std::string(AsText(*value))) : std::nullopt);
    });
    EXPECT_EQ(headers, wanted.headers);
  }
}

dory_message ForTheCClient(const ClientMessage& wanted) {
  return {
      .topic = wanted.topic.data(),
      .topic_size = wanted.topic.size(),
      .timestamp_ms = wanted.timestamp_ms,
      .key = wanted.null_key ? nullptr : wanted.key.data(),
      .key_size = wanted.key.size(),
      .value = wanted.null_value ? nullptr : wanted.value.data(),
      .value_size = wanted.value.size(),
  };
}

std::string WriteVersion0(const ClientMessage& wanted) {
  const dory_message message = ForTheCClient(wanted);
  char bytes[1024];
  size_t size = 0;
  const dory_code code =
      wanted.api_key == 257
          ? dory_write_partition_key(bytes, sizeof(bytes), wanted.partition_key, &message, &size)
          : dory_write_any_partition(bytes, sizeof(bytes), &message, &size);
  EXPECT_EQ(code, DORY_OK);
  return std::string(bytes, size);
}

std::string WriteVersion1(const ClientMessage& wanted, std::optional<int64_t> receipt_id) {
  const dory_message message = ForTheCClient(wanted);
  std::vector<dory_header> headers;
  for (const auto& [name, value] : wanted.headers) {
    headers.push_back({name.data(), name.size(), value ? value->data() : nullptr, value.value_or("").size()});
  }
  const dory_extras extras = {headers.data(), headers.size(), receipt_id.has_value(), receipt_id.value_or(0)};
  char bytes[1024];
  size_t size = 0;
  const dory_code code =
      wanted.api_key == 257
          ? dory_write_partition_key_v1(bytes, sizeof(bytes), wanted.partition_key, &message, &extras, &size)
          : dory_write_any_partition_v1(bytes, sizeof(bytes), &message, &extras, &size);
  EXPECT_EQ(code, DORY_OK);
  return std::string(bytes, size);
}

TEST(GoldenMessagesTest, TheCClientWritesThem) {
  const std::map<std::string, Golden> all = ReadAll();
  for (const auto& [name, wanted] : kGood) {
    const std::string bytes = wanted.api_version == 0 ? WriteVersion0(wanted) : WriteVersion1(wanted, std::nullopt);
    EXPECT_EQ(bytes, all.at(name).bytes) << name;
  }
}

TEST(GoldenMessagesTest, TheCClientAsksForReceipts) {
  const std::map<std::string, Golden> all = ReadAll(kReceiptsFolder);
  const ClientMessage any = {
      .topic = "orders", .key = "k", .value = "hello", .headers = kGood.at("any.v1").headers};
  const ClientMessage nulls = {.topic = "orders", .value = "", .null_key = true, .null_value = true};
  const ClientMessage key = {
      .api_key = 257, .partition_key = 3, .topic = "orders", .value = "hello", .null_key = true};
  EXPECT_EQ(WriteVersion1(any, 1), all.at("any").bytes);
  EXPECT_EQ(WriteVersion1(nulls, INT64_MAX), all.at("any.null").bytes);
  EXPECT_EQ(WriteVersion1(key, -2), all.at("key").bytes);
}

TEST(GoldenMessagesTest, TheCClientReadsReceipts) {
  const std::map<std::string, Golden> all = ReadAll(kReceiptsFolder);
  const std::map<std::string, dory_receipt> answers = {
      {"answer.delivered", {1, DORY_DELIVERED, 3, 0x2'0000'0007}},
      {"answer.deadline", {-2, DORY_DISCARDED_DEADLINE, 11, -1}},
      {"answer.rate_limit", {INT64_MAX, DORY_REJECTED_RATE_LIMIT, -1, -1}},
  };
  for (const auto& [name, wanted] : answers) {
    SCOPED_TRACE(name);
    const std::string& bytes = all.at(name).bytes;
    dory_receipt receipt = {};
    ASSERT_EQ(bytes.size(), size_t{DORY_RECEIPT_SIZE});
    ASSERT_EQ(dory_read_receipt(bytes.data(), bytes.size(), &receipt), DORY_OK);
    EXPECT_EQ(receipt.id, wanted.id);
    EXPECT_EQ(receipt.code, wanted.code);
    EXPECT_EQ(receipt.partition, wanted.partition);
    EXPECT_EQ(receipt.offset, wanted.offset);
  }
}

}  // namespace
}  // namespace dory::intake
