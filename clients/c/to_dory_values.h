// The values that to_dory sends in turn: one of them many times, or the lines of standard input.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "clients/c/to_dory_options.h"

namespace dory::client {

// Standard input, line by line, for a caller that must not wait for it without knowing.
class LineReader {
 public:
  // No whole line has been read yet, and more may come: Next would wait.
  bool NeedsInput() const { return newline_ == std::string::npos && !has_ended_; }

  // Reads once, waiting until there is something. Returns false, errno saying why.
  bool ReadMore();

  // False: there are no more. A last line may lack its line break.
  // REQUIRES: !NeedsInput()
  bool Next(std::string& line);

 private:
  std::string text_;
  size_t begin_ = 0;  // of the next line
  size_t newline_ = std::string::npos;
  bool has_ended_ = false;
};

class ValueSource {
 public:
  explicit ValueSource(const Options& options) : options_(options), value_(options.value) {}

  // Returns false with a message to stderr.
  bool Prepare();

  // Standard input has to be read before the next value can be told.
  bool NeedsInput(uint64_t number) const;

  // Reads once from standard input, waiting for it. Returns false with a message to stderr.
  bool ReadMore();

  // The value of message `number`, which counts from 1; false when there are no more, or, with
  // a message to stderr and has_failed(), when they can't be read.
  bool Next(uint64_t number, std::string& value);

  bool has_failed() const { return has_failed_; }

 private:
  uint64_t Limit() const { return options_.count.value_or(options_.lines ? UINT64_MAX : 1); }
  void AppendSequence(uint64_t number, std::string& value) const;

  const Options& options_;
  std::string value_;
  LineReader lines_;
  bool has_failed_ = false;
};

}  // namespace dory::client
