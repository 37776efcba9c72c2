// Status and Result<T>: how a function in this project says that it failed.
//
// A failure is one line of text for the person who reads the log. It gains context on the way
// up (`status.Context("segment /dev/shm/dory.x")` gives "segment /dev/shm/dory.x: no room"), so the
// place where it is finally shown needs to add nothing. Exceptions do not cross files.

#pragma once

#include <cassert>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace dory {

class [[nodiscard]] Status {
 public:
  static Status Ok() { return Status(); }

  // REQUIRES: `message` is not empty.
  static Status Error(std::string message) {
    assert(!message.empty());
    Status status;
    status.message_ = std::move(message);
    return status;
  }

  // "what: strerror(error_number)", errno by default.
  static Status Errno(std::string_view what, int error_number = errno) {
    return Error(std::string(what) + ": " + std::strerror(error_number));
  }

  bool ok() const { return message_.empty(); }
  const std::string& message() const { return message_; }

  // The same failure with "where: " before it; Ok stays Ok.
  Status Context(std::string_view where) const {
    return ok() ? *this : Error(std::string(where) + ": " + message_);
  }

 private:
  Status() = default;
  std::string message_;  // empty: Ok
};

// A value, or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : status_(Status::Ok()), value_(std::move(value)) {}  // NOLINT: meant to convert
  Result(Status status) : status_(std::move(status)) { assert(!status_.ok()); }  // NOLINT

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  // REQUIRES: ok().
  T& value() {
    assert(ok());
    return *value_;
  }
  const T& value() const {
    assert(ok());
    return *value_;
  }
  T Take() {
    assert(ok());
    return std::move(*value_);
  }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace dory
