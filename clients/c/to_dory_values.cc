#include "clients/c/to_dory_values.h"

#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>

namespace dory::client {
namespace {

// At the end of standard input *size is 0. Returns false, errno saying why.
bool AppendInput(std::string& text, size_t* size) {
  char part[64 * 1024];
  ssize_t got = -1;
  do {
    got = read(STDIN_FILENO, part, sizeof(part));
  } while (got < 0 && errno == EINTR);
  if (got < 0) return false;
  *size = static_cast<size_t>(got);
  text.append(part, *size);
  return true;
}

}  // namespace

bool LineReader::ReadMore() {
  text_.erase(0, begin_);
  begin_ = 0;
  const size_t searched = text_.size();
  size_t size = 0;
  const bool is_read = AppendInput(text_, &size);
  has_ended_ = size == 0;
  newline_ = text_.find('\n', searched);
  return is_read;
}

bool LineReader::Next(std::string& line) {
  const bool is_whole = newline_ != std::string::npos;
  if (!is_whole && begin_ == text_.size()) return false;
  const size_t end = is_whole ? newline_ : text_.size();
  line.assign(text_, begin_, end - begin_);
  begin_ = is_whole ? end + 1 : end;
  newline_ = text_.find('\n', begin_);
  return true;
}

bool ValueSource::Prepare() {
  if (!options_.from_stdin) return true;
  for (size_t size = 1; size > 0;) {
    if (AppendInput(value_, &size)) continue;
    std::cerr << "to_dory: standard input: " << std::strerror(errno) << "\n";
    return false;
  }
  return true;
}

bool ValueSource::NeedsInput(uint64_t number) const {
  return options_.lines && number <= Limit() && lines_.NeedsInput();
}

bool ValueSource::ReadMore() {
  if (lines_.ReadMore()) return true;
  std::cerr << "to_dory: standard input: " << std::strerror(errno) << "\n";
  has_failed_ = true;
  return false;
}

bool ValueSource::Next(uint64_t number, std::string& value) {
  if (number > Limit()) return false;
  while (NeedsInput(number)) {
    if (!ReadMore()) return false;
  }
  if (options_.lines && !lines_.Next(value_)) return false;
  value.clear();
  if (options_.sequence) AppendSequence(number, value);
  value += value_;
  return true;
}

void ValueSource::AppendSequence(uint64_t number, std::string& value) const {
  const std::string digits = std::to_string(number);
  if (digits.size() < options_.sequence_width) {
    value.append(options_.sequence_width - digits.size(), '0');
  }
  value += digits;
  value += ' ';
}

}  // namespace dory::client
