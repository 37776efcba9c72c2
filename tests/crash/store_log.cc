#include "tests/crash/store_log.h"

#include <sys/mman.h>

#include <cstring>

#include "shm/store.h"
#include "tests/crash/sweep.h"

namespace dory::crash {
namespace {

StoreLog* current = nullptr;  // the one that watches in this process

constexpr uintptr_t kPage = 4096;

void Allow(const void* to, size_t size, int what) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(to) / kPage * kPage;
  const uintptr_t end = reinterpret_cast<uintptr_t>(to) + size;
  if (::mprotect(reinterpret_cast<void*>(begin), end - begin, what) != 0) Die("mprotect");
}

}  // namespace

StoreLog::StoreLog() {
  void* const memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) Die("mmap");
  shared_ = static_cast<Shared*>(memory);
  Clear();
}

StoreLog::~StoreLog() { ::munmap(shared_, sizeof(Shared)); }

void StoreLog::Clear() {
  shared_->count = 0;
  shared_->foreign = shm::RegionKind::kCount;
  shared_->used = 0;
  shared_->mark = 0;
}

void StoreLog::Watch(shm::RegionKind region, std::span<std::byte> bytes, bool guarded) {
  watched_.push_back({region, bytes, guarded});
  if (guarded) Allow(bytes.data(), bytes.size(), PROT_READ);
  current = this;
  shm::store_observer = {Before, After};
}

void StoreLog::EndWatching() {
  watched_.clear();
  shm::store_observer = {};
}

const StoreLog::Watched* StoreLog::Find(const void* address) const {
  const auto* const byte = static_cast<const std::byte*>(address);
  for (const Watched& watched : watched_) {
    if (byte >= watched.bytes.data() && byte < watched.bytes.data() + watched.bytes.size()) return &watched;
  }
  return nullptr;
}

void StoreLog::Before(void* to, const void* from, size_t size) {
  const Watched* const watched = current->Find(to);
  if (watched == nullptr || size == 0) return;  // private memory
  current->Append(*watched, to, to, from, size, false);
  if (watched->guarded) Allow(to, size, PROT_READ | PROT_WRITE);
}

void StoreLog::After(void* to, size_t size) {
  const Watched* const watched = current->Find(to);
  if (watched != nullptr && watched->guarded && size > 0) Allow(to, size, PROT_READ);
}

const StoreLog::Watched* StoreLog::FindRegion(shm::RegionKind region) const {
  for (const Watched& watched : watched_) {
    if (watched.region == region) return &watched;
  }
  return nullptr;
}

void StoreLog::BeginForeign(shm::RegionKind region, std::span<std::byte> bytes) {
  const Watched* const watched = FindRegion(region);
  if (watched == nullptr) return;
  foreign_ = bytes.empty() ? watched->bytes : bytes;
  before_foreign_.assign(foreign_.begin(), foreign_.end());
  if (watched->guarded) Allow(watched->bytes.data(), watched->bytes.size(), PROT_READ | PROT_WRITE);
  shared_->foreign = region;
}

void StoreLog::EndForeign(shm::RegionKind region) {
  const Watched* const watched = FindRegion(region);
  if (watched == nullptr) return;
  shared_->foreign = shm::RegionKind::kCount;
  Append(*watched, foreign_.data(), before_foreign_.data(), foreign_.data(), foreign_.size(), true);
  if (watched->guarded) Allow(watched->bytes.data(), watched->bytes.size(), PROT_READ);
}

void StoreLog::Append(const Watched& watched, const void* at, const void* old, const void* now, size_t size,
                      bool is_foreign) {
  const size_t index = shared_->count;
  if (index == kEntryRoom || shared_->used + 2 * size > kByteRoom) Die("the log of stores is full");
  const auto offset = static_cast<uint32_t>(static_cast<const std::byte*>(at) - watched.bytes.data());
  shared_->entries[index] = {watched.region, offset, static_cast<uint32_t>(size),
                             static_cast<uint32_t>(shared_->used), shared_->mark, is_foreign};
  std::memcpy(shared_->bytes + shared_->used, old, size);
  std::memcpy(shared_->bytes + shared_->used + size, now, size);
  shared_->used += 2 * size;
  shared_->count = index + 1;
}

bool StoreLog::Undo(size_t index, std::span<std::byte> region) const {
  const StoreEntry& entry = shared_->entries[index];
  std::byte* const at = region.data() + entry.offset;
  const std::byte* const old = shared_->bytes + entry.bytes;
  if (std::memcmp(at, old + entry.size, entry.size) != 0) return false;
  std::memcpy(at, old, entry.size);
  return true;
}

void StoreLog::Redo(size_t index, std::span<std::byte> region) const {
  const StoreEntry& entry = shared_->entries[index];
  std::memcpy(region.data() + entry.offset, shared_->bytes + entry.bytes + entry.size, entry.size);
}

}  // namespace dory::crash
