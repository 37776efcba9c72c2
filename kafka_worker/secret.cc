#include "kafka_worker/secret.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/file_descriptor.h"

namespace dory::kafka {
namespace {

constexpr size_t kStackBytes = 64 * 1024;  // deeper than what SASL and TLS need of it

}  // namespace

// Without any bytes there may be no memory, which the function must not be handed.
void Wipe(std::span<std::byte> bytes) {
  if (!bytes.empty()) ::explicit_bzero(bytes.data(), bytes.size());
}

__attribute__((noinline)) void WipeStackBelow() {
  std::array<std::byte, kStackBytes> below;
  Wipe(below);
}

Secret::Secret(ByteSpan bytes) : bytes_(new std::byte[bytes.size()]), size_(bytes.size()) {
  std::copy(bytes.begin(), bytes.end(), bytes_);
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  Clear();
  bytes_ = std::exchange(other.bytes_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

void Secret::Clear() {
  Wipe({bytes_, size_});
  delete[] bytes_;
  bytes_ = nullptr;
  size_ = 0;
}

Result<Secret> TakeFirstLine(ByteSpan read) {
  const auto end = std::find_if(read.begin(), read.end(),
                                [](std::byte b) { return b == std::byte{'\n'} || b == std::byte{'\r'}; });
  const ByteSpan line(read.begin(), end);
  if (line.empty()) return Status::Error("its first line is empty");
  if (line.size() > kMaxSecretBytes) return Status::Error("more than 16K");
  return Secret(line);
}

Result<Secret> ReadSecretFile(const std::string& file) {
  FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return Status::Errno("cannot be opened");
  std::array<std::byte, kMaxSecretBytes + 1> buffer;
  size_t size = 0;
  ssize_t got = 1;
  while (got > 0 && size < buffer.size()) {
    got = ::read(fd.get(), buffer.data() + size, buffer.size() - size);
    if (got > 0) size += static_cast<size_t>(got);
  }
  const int error = errno;
  Result<Secret> secret =
      got < 0 ? Result<Secret>(Status::Errno("cannot be read", error)) : TakeFirstLine({buffer.data(), size});
  Wipe({buffer.data(), size});
  return secret;
}

}  // namespace dory::kafka
