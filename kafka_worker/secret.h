// A password, key or token: bytes that leave no copy of themselves behind.

#pragma once

#include <string>

#include "common/bytes.h"
#include "common/status.h"

namespace dory::kafka {

inline constexpr size_t kMaxSecretBytes = 16 * 1024;
inline constexpr size_t kMaxSecretFileBytes = 1 << 20;  // keys lie beside chains of certificates

// Wipes what a vector or string holds, before its memory becomes somebody else's.
void Wipe(std::span<std::byte> bytes);

// Wipes vector registers, and the stack below the caller, where calls that handled a secret have left some of it: their
// variables, and registers that the compiler, or the dynamic linker at a function's first call, has put there.
void WipeStackBelow();

// free and realloc for libraries that forget nothing of what they give back.
void FreeWiped(void* memory);
void* MoveWiped(void* memory, size_t size);

// Moves; is never copied, and never grows.
class Secret {
 public:
  Secret() = default;
  // Takes a copy; the caller wipes its own.
  explicit Secret(ByteSpan bytes);
  Secret(Secret&& other) noexcept { *this = std::move(other); }
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { Clear(); }

  ByteSpan bytes() const { return {bytes_, size_}; }
  std::string_view text() const { return AsText(bytes()); }
  bool empty() const { return size_ == 0; }

 private:
  void Clear();

  std::byte* bytes_ = nullptr;
  size_t size_ = 0;
};

// The first line of what was read, without its end.
Result<Secret> TakeFirstLine(ByteSpan read);

// The file's first line, and all of it. The error does not name the file.
Result<Secret> ReadSecretFile(const std::string& file);
Result<Secret> ReadWholeSecretFile(const std::string& file);

}  // namespace dory::kafka
