// The golden files of tests/golden/kafka: what Kafka's own classes wrote.

#pragma once

#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "kafka_worker/protocol/request_header.h"
#include "kafka_worker/protocol/topic_id.h"

namespace dory::kafka::protocol {

inline const std::filesystem::path kGoldenFolder = "tests/golden/kafka";

// What every golden request says in its header, and of it every golden response.
inline constexpr int32_t kGoldenCorrelationId = 0x01020304;
inline RequestHeader GoldenHeader(int16_t version) { return {version, kGoldenCorrelationId, "golden.client"}; }

// What the messages of more than one api speak of.
inline constexpr std::string_view kFirstTopic = "first.topic";
inline const std::string kLongTopic(249, 't');
inline constexpr int32_t kMostInt32 = INT32_MAX;
inline constexpr int64_t kManyBytes = 0x0102030405060708;  // an offset, an id
inline constexpr int32_t kThrottleMs = 1500;

inline TopicId GoldenTopicId(std::string_view topic) {
  TopicId id;
  StoreBigEndian<uint64_t>(id.data(), topic == kFirstTopic ? 0x0011223344556677 : 0xfffffffffffffffe);
  StoreBigEndian<uint64_t>(id.data() + 8, topic == kFirstTopic ? 0x8899aabbccddeeff : 0x0102030405060708);
  return id;
}

// The bytes of a file, which are pairs of hex digits; from # to a line's end is comment.
inline Bytes ReadGoldenFile(const std::filesystem::path& file) {
  std::ifstream in(kGoldenFolder / file);
  EXPECT_TRUE(in.good()) << file << " is missing";
  Bytes bytes;
  for (std::string line; std::getline(in, line);) {
    const std::string text = line.substr(0, line.find('#'));
    for (size_t at = 0; at + 1 < text.size(); at += 3) {
      if (text[at] != ' ') bytes.push_back(static_cast<std::byte>(std::stoi(text.substr(at, 2), nullptr, 16)));
    }
  }
  return bytes;
}

// "SaslHandshake", 1, "request": messages/sasl_handshake.v1.request.hex.
inline std::filesystem::path NameGoldenMessage(Api api, int16_t version, std::string_view kind) {
  std::string name;
  for (const char c : FindApi(api).name) {
    if (std::isupper(c) != 0 && !name.empty()) name += '_';
    name += static_cast<char>(std::tolower(c));
  }
  return "messages/" + name + ".v" + std::to_string(version) + "." + std::string(kind) + ".hex";
}

inline Bytes ReadGoldenRequest(Api api, int16_t version, std::string_view kind = "request") {
  return ReadGoldenFile(NameGoldenMessage(api, version, kind));
}

// What follows the size, which is checked.
inline Bytes ReadGoldenFrame(Api api, int16_t version, std::string_view kind = "response") {
  Bytes frame = ReadGoldenFile(NameGoldenMessage(api, version, kind));
  if (frame.size() < kFrameSizeBytes) return frame;
  EXPECT_EQ(LoadBigEndian<int32_t>(frame.data()), static_cast<int32_t>(frame.size() - kFrameSizeBytes));
  frame.erase(frame.begin(), frame.begin() + kFrameSizeBytes);
  return frame;
}

// What follows the header, which is checked.
inline Bytes ReadGoldenBody(Api api, int16_t version, std::string_view kind = "response") {
  const Bytes frame = ReadGoldenFrame(api, version, kind);
  const auto correlation_id = ReadCorrelationId(frame);
  EXPECT_TRUE(correlation_id.ok() && correlation_id.value() == kGoldenCorrelationId);
  const auto body = FindResponseBody(api, version, frame);
  if (!body.ok()) {
    ADD_FAILURE() << body.status().message();
    return {};
  }
  return {body.value().begin(), body.value().end()};
}

// Calls check(version) for each that we speak.
template <typename Check>
void ForEachVersion(Api api, Check check) {
  for (int16_t version = FindApi(api).spoken.lowest; version <= FindApi(api).spoken.highest; ++version) {
    SCOPED_TRACE(std::string(FindApi(api).name) + " version " + std::to_string(version));
    check(version);
  }
}

}  // namespace dory::kafka::protocol
