#include "kafka_worker/secret.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "common/file_descriptor.h"

namespace dory::kafka {
namespace {

constexpr size_t kStackBytes = 64 * 1024;  // deeper than what SASL and TLS need of it

// How many bytes it has, or the buffer has room for; what was read is the caller's to wipe.
Result<size_t> ReadUpTo(const std::string& file, std::span<std::byte> buffer) {
  FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return Status::Errno("cannot be opened");
  size_t size = 0;
  ssize_t got = 1;
  while (got > 0 && size < buffer.size()) {
    got = ::read(fd.get(), buffer.data() + size, buffer.size() - size);
    if (got > 0) size += static_cast<size_t>(got);
  }
  if (got < 0) return Status::Errno("cannot be read");
  return size;
}

// Copies leave the end of what they copied in vector registers, and the dynamic linker saves all of these on the stack,
// at any depth, when a library calls a function for the first time. memcpy has those that a processor has and our own
// code never uses, too. They are nobody's between two functions.
void WipeVectorRegisters() {
#if defined(__x86_64__)
  asm volatile(
      ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\t"
      "pxor %%xmm\\n, %%xmm\\n\n\t"
      ".endr" ::
          : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
            "xmm13", "xmm14", "xmm15");
  if (__builtin_cpu_supports("avx")) asm volatile("vzeroall");  // their upper halves
  if (__builtin_cpu_supports("avx512f")) {
    asm volatile(
        ".irp n,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n\t"
        "vpxord %zmm\\n, %zmm\\n, %zmm\\n\n\t"
        ".endr");
  }
#elif defined(__aarch64__)
  asm volatile(
      ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n\t"
      "movi v\\n\\().2d, #0\n\t"
      ".endr" ::
          : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16",
            "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
#endif
}

}  // namespace

// Without any bytes there may be no memory, which the function must not be handed.
void Wipe(std::span<std::byte> bytes) {
  if (!bytes.empty()) ::explicit_bzero(bytes.data(), bytes.size());
}

__attribute__((noinline)) void WipeStackBelow() {
  WipeVectorRegisters();
  std::array<std::byte, kStackBytes> below;
  Wipe(below);
}

void FreeWiped(void* memory) {
  if (memory != nullptr) ::explicit_bzero(memory, ::malloc_usable_size(memory));
  ::free(memory);
}

void* MoveWiped(void* memory, size_t size) {
  void* const moved = ::malloc(size);
  if (moved == nullptr || memory == nullptr) return moved;
  ::memcpy(moved, memory, std::min(size, ::malloc_usable_size(memory)));
  FreeWiped(memory);
  return moved;
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
  std::array<std::byte, kMaxSecretBytes + 1> buffer;
  const Result<size_t> size = ReadUpTo(file, buffer);
  Result<Secret> secret = size.ok() ? TakeFirstLine(std::span(buffer).first(size.value())) : size.status();
  Wipe(buffer);
  return secret;
}

Result<Secret> ReadWholeSecretFile(const std::string& file) {
  std::vector<std::byte> buffer(kMaxSecretFileBytes + 1);
  const Result<size_t> size = ReadUpTo(file, buffer);
  const bool fits = size.ok() && size.value() <= kMaxSecretFileBytes;
  Secret secret(ByteSpan(buffer).first(fits ? size.value() : 0));
  Wipe(buffer);
  if (!size.ok()) return size.status();
  if (!fits) return Status::Error("more than 1M");
  return secret;
}

}  // namespace dory::kafka
