// A status as the supervisor sends it, with names that nobody should be able to choose.

#pragma once

#include "status_http/json_fields.h"

namespace dory::status_http {

inline constexpr const char* kHostileName = "</td><script>alert(\"1\")</script>&'\n";
inline constexpr int64_t kNow = 1795356785;

inline Json SampleStatus() {
  return Json::parse(R"({
    "version": "0.1.0", "instance": "test", "state": "up", "pid": 28164,
    "started_at": 1795356781, "counted_since": 1795356000, "uptime_s": 4.5,
    "books": {"received": 18446744073709551615, "rejected": 12, "appended": 18446744073709551603,
              "delivered": 9007199254740993, "discarded": 5, "buffered": 18437736874454810605,
              "possible_duplicates": 3},
    "rejected_by": {"malformed": 1, "too_long": 0, "unsupported_key": 2, "unsupported_version": 4,
                    "bad_topic": 3, "no_room": 0, "rate_limit": 2, "unclean_disconnect_unix": 0},
    "discarded_by": {"too_large": 5, "unknown_topic": 0},
    "oldest_message_age_s": 1.25,
    "buffer": {"ring_bytes": 1048576, "ring_used": 524288, "pool_bytes": 2097152, "pool_used": 0,
               "overflow_bytes": 0},
    "workers": [
      {"name": "intake-0", "pid": 10, "state": "up", "generation": 3, "deaths": 2, "degraded": false,
       "cpu_s": 0.5, "rss_bytes": 1048576},
      {"name": "kafka-0", "pid": 0, "state": "backoff", "generation": 7, "deaths": 6, "degraded": true,
       "cpu_s": 0.0, "rss_bytes": 0},
      {"name": "status", "pid": 12, "state": "up", "generation": 1, "deaths": 0, "degraded": false,
       "cpu_s": 0.1, "rss_bytes": 4096}],
    "brokers": [{"id": 1, "address": "kafka-1:9092", "state": "up", "requests": 1000, "in_flight": 1},
                {"id": -1, "address": "kafka-2:9092", "state": "connecting", "requests": 0, "in_flight": 0}],
    "topics": [
      {"name": "web.log", "received": 10, "rejected": 2, "appended": 8, "delivered": 3, "discarded": 5,
       "buffered": 0, "possible_duplicates": 3, "rejected_by": {"rate_limit": 2},
       "discarded_by": {"too_large": 5}, "partitions": 4, "oldest_message_age_s": null},
      {"name": "", "received": 1, "rejected": 0, "appended": 1, "delivered": 0, "discarded": 0,
       "buffered": 1, "possible_duplicates": 0, "rejected_by": {}, "discarded_by": {},
       "partitions": 0, "oldest_message_age_s": 1.25}],
    "unsupported_versions": [{"api_key": 256, "version": 7, "count": 3},
                             {"api_key": 257, "version": -1, "count": 1}],
    "no_topic": {"rejected": 10, "discarded": 0},
    "discard_report": {
      "interval_s": 600,
      "unfinished": {
        "id": 60, "start_time": 1795356600,
        "rejected_by": {"malformed": 1, "unsupported_key": 2, "unsupported_version": 4, "bad_topic": 3,
                        "too_long": 1, "rate_limit": 2},
        "discarded_by": {"too_large": 5},
        "topics": [
          {"topic": "web.log", "reason": "rate_limit", "count": 2, "first_timestamp": 5, "last_timestamp": 6},
          {"topic": "web.log", "reason": "too_large", "count": 5, "first_timestamp": -7,
           "last_timestamp": 1795356700123}],
        "possible_duplicates": [{"topic": "web.log", "count": 3, "first_timestamp": 1, "last_timestamp": 2}],
        "unsupported_versions": [{"api_key": 256, "version": 7, "count": 3},
                                 {"api_key": 257, "version": -1, "count": 1}],
        "prefixes": {"malformed": ["AAAAIGdhcmJhZ2U="], "too_long": ["/w=="], "bad_topic": ["bm8gdG9waWM=", "/wo="],
                     "unclean_disconnect_unix": [], "unclean_disconnect_tcp": []}},
      "finished": {"id": 59, "start_time": 1795356000, "rejected_by": {"malformed": 9}, "discarded_by": {},
                   "topics": [], "possible_duplicates": [], "unsupported_versions": [], "prefixes": {}}},
    "warnings": []})");
}

inline Json HostileStatus() {
  Json status = SampleStatus();
  status["topics"][1]["name"] = kHostileName;
  status["discard_report"]["unfinished"]["topics"][1]["topic"] = kHostileName;
  status["topics"][1]["discarded_by"]["refused"] = 1;
  status["instance"] = kHostileName;
  status["brokers"][0]["address"] = kHostileName;
  status["warnings"].push_back({{"name", "worker"}, {"text", kHostileName}});
  return status;
}

}  // namespace dory::status_http
