// The discard log ([discard_log]): a line for each message that is rejected or discarded, or may be delivered
// twice, written by the worker that decides so.
//
//     now: MS ts: MS event: DISC|DUP info: REASON topic: N[..] key: N[base64] msg: N[base64]
//
// All workers append to one file (common/rotated_file.h), so that there is one place to look at. The writing
// is a thread's: a disk that is slow, full or gone never holds up a message. What is more than kLinesPerSecond
// or than waits already is left out, and said how many.
//
// Owner: one thread adds; the log's own one writes.
// On crash: lines that wait are lost; a message that is decided again has a second line.

#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "common/bytes.h"
#include "common/config.h"
#include "common/rotated_file.h"

namespace dory {

struct DiscardLogSettings {
  std::string path;  // empty: off
  RotatedFileLimits limits;
  size_t max_prefix = 0;  // bytes of a key and of a message

  bool operator==(const DiscardLogSettings&) const = default;
};

DiscardLogSettings DiscardLogSettingsOf(const Config& config);

struct DiscardLine {
  int64_t timestamp_ms = 0;  // the message's
  bool is_duplicate = false;
  std::string_view reason = {};
  std::string_view topic = {};
  ByteSpan key = {};
  ByteSpan message = {};  // its value; of one that could not be parsed all of it
};

// With the newline. At most `most` bytes of key and message.
std::string FormatDiscardLine(const DiscardLine& line, int64_t now_ms, size_t most);

class DiscardLog {
 public:
  static constexpr int64_t kLinesPerSecond = 1000;

  DiscardLog() = default;
  ~DiscardLog() { Finish(); }
  DiscardLog(const DiscardLog&) = delete;
  DiscardLog& operator=(const DiscardLog&) = delete;

  // Another path or other limits: what waits is written by the old ones first.
  void Configure(const DiscardLogSettings& settings);

  // Whether lines are wanted.
  bool is_on() const { return writer_ != nullptr; }

  void Add(const DiscardLine& line);

  // Why the last lines could not be written; empty: they could.
  std::string Trouble() const;

  // Waits for the lines to be written, for some time. Then the log is off.
  void Finish();

 private:
  class Writer;

  bool IsWithinRate(int64_t now_ms);
  void SayTrouble();

  DiscardLogSettings settings_;
  std::shared_ptr<Writer> writer_;  // the thread's as well, where it outlives us at the disk
  int64_t second_ = 0;
  int64_t lines_ = 0;     // in that second
  uint64_t left_out_ = 0;  // since it was said
  std::string said_;       // of the trouble
};

}  // namespace dory
