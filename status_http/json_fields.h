// Fields of the status that the supervisor sends. One that is not there reads as nothing (0, "", an empty
// list), since a part that a worker did not answer for is left out.

#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace dory::status_http {

using Json = nlohmann::ordered_json;

// An empty object or list where there is none.
inline const Json& Part(const Json& object, const char* key) {
  static const Json kNothing;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found == object.end() ? kNothing : *found;
}

inline uint64_t Number(const Json& object, const char* key) {
  const Json& value = Part(object, key);
  return value.is_number() ? value.get<uint64_t>() : 0;
}

inline std::string Text(const Json& object, const char* key) {
  const Json& value = Part(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

inline bool Flag(const Json& object, const char* key) {
  const Json& value = Part(object, key);
  return value.is_boolean() && value.get<bool>();
}

// Bytes that are no UTF-8 are shown as U+FFFD: what is written is always valid JSON.
inline std::string WriteJson(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace dory::status_http
