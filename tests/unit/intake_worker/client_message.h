// Messages as clients send them, right or wrong in any field.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/bytes.h"

namespace dory::intake {

struct ClientMessage {
  int api_key = 256;
  int api_version = 0;
  int flags = 0;
  int32_t partition_key = 7;
  std::string topic = "topic";
  int64_t timestamp_ms = 1'700'000'000'123;
  std::string key = {};
  std::string value = "value";
  int size_error = 0;  // added to the sizes on the wire
  int topic_size_error = 0;
  int key_size_error = 0;
  int value_size_error = 0;
  std::string left_over = {};
  // Of version 1.
  std::vector<std::pair<std::string, std::optional<std::string>>> headers = {};
  int header_count_error = 0;
  bool null_key = false;
  bool null_value = false;
  std::optional<int64_t> receipt_id = {};  // asks for a receipt

  std::string Bytes() const {
    std::string body;
    Put<int16_t>(&body, api_key);
    Put<int16_t>(&body, api_version);
    Put<int16_t>(&body, flags | (receipt_id ? 1 : 0));
    if (api_key == 257) Put<int32_t>(&body, partition_key);
    if (receipt_id) Put<int64_t>(&body, *receipt_id);
    PutSized<int16_t>(&body, topic, topic_size_error);
    Put<int64_t>(&body, timestamp_ms);
    if (api_version == 1) PutHeaders(&body);
    PutSized<int32_t>(&body, key, null_key ? -1 : key_size_error);
    PutSized<int32_t>(&body, value, null_value ? -1 : value_size_error);
    body += left_over;
    std::string bytes;
    Put<int32_t>(&bytes, static_cast<int32_t>(body.size()) + 4 + size_error);
    return bytes + body;
  }

 private:
  void PutHeaders(std::string* to) const {
    Put<int16_t>(to, static_cast<int64_t>(headers.size()) + header_count_error);
    for (const auto& [name, header_value] : headers) {
      PutSized<int16_t>(to, name, 0);
      PutSized<int32_t>(to, header_value.value_or(""), header_value ? 0 : -1);
    }
  }

  template <typename T>
  static void Put(std::string* to, int64_t value) {
    std::byte bytes[sizeof(T)];
    StoreBigEndian(bytes, static_cast<T>(value));
    to->append(AsText(bytes));
  }

  template <typename T>
  static void PutSized(std::string* to, const std::string& bytes, int error) {
    Put<T>(to, static_cast<int64_t>(bytes.size()) + error);
    to->append(bytes);
  }
};

}  // namespace dory::intake
