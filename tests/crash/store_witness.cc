#include "tests/crash/store_witness.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "shm/regions.h"

namespace dory::crash {
namespace {

std::string Place(shm::RegionKind region, size_t offset) {
  return std::string(shm::SpecOf(region).name) + ", byte " + std::to_string(offset);
}

std::string Name(const StoreEntry& entry) {
  return "the entry of " + std::to_string(entry.size) + " bytes at " + Place(entry.region, entry.offset);
}

bool AreEqual(ByteSpan one, ByteSpan other) { return std::equal(one.begin(), one.end(), other.begin(), other.end()); }

}  // namespace

StoreWitness::StoreWitness(const StoreLog& log, const std::vector<WitnessedMemory>& memory,
                           std::function<std::string()> inspect)
    : log_(log), inspect_(std::move(inspect)) {
  for (const WitnessedMemory& one : memory) regions_.push_back({one.region, one.bytes, {}});
}

std::string StoreWitness::OnBegin(uint32_t part) {
  const std::string problem = End();
  for (Region& region : regions_) region.known.assign(region.bytes.begin(), region.bytes.end());
  counted_ = &figures_[part];
  taken_ = log_.size();
  has_entry_ = false;
  return problem;
}

std::string StoreWitness::OnResume() { return Look(false); }

std::string StoreWitness::OnStep() {
  ++counted_->steps;
  return Look(true);
}

std::string StoreWitness::Look(bool may_change) {
  std::string problem = TakeEntries();
  if (problem.empty()) problem = Compare(may_change);
  if (!problem.empty()) ++counted_->unmatched;
  return problem;
}

std::string StoreWitness::End() {
  if (is_foreign_) return "the kernel has written, and no entry says so";
  return FinishEntry();
}

// ---- entries -----------------------------------------------------------------------------------

std::string StoreWitness::TakeEntries() {
  for (; taken_ < log_.size(); ++taken_) {
    const std::string problem = TakeEntry(taken_);
    if (!problem.empty()) return problem;
  }
  return "";
}

std::string StoreWitness::TakeEntry(size_t index) {
  const StoreEntry& entry = log_[index];
  const std::string unfinished = FinishEntry();
  if (!unfinished.empty()) return unfinished;
  const Region* const region = Find(entry.region);
  if (region == nullptr || entry.offset + entry.size > region->known.size()) return Name(entry) + " is nowhere";
  const ByteSpan here = ByteSpan(region->known).subspan(entry.offset, entry.size);
  ++counted_->entries;
  has_entry_ = true;
  stores_ = 0;
  if (std::exchange(is_foreign_, false)) {
    const bool is_it = entry.is_foreign && entry.size == before_foreign_.size() && AreEqual(log_.OldBytes(index), before_foreign_);
    return is_it && AreEqual(log_.NewBytes(index), here) ? "" : Name(entry) + " is not what the kernel wrote";
  }
  if (AreEqual(log_.OldBytes(index), log_.NewBytes(index))) ++counted_->equal;
  return AreEqual(log_.OldBytes(index), here) ? "" : Name(entry) + " has other old bytes";
}

std::string StoreWitness::FinishEntry() {
  if (!std::exchange(has_entry_, false)) return "";
  const StoreEntry& entry = log_[taken_ - 1];
  const ByteSpan here = ByteSpan(Find(entry.region)->known).subspan(entry.offset, entry.size);
  if (!AreEqual(log_.NewBytes(taken_ - 1), here)) return Name(entry) + " was not stored";
  if (stores_ < 2) return "";
  ++counted_->long_ones;
  return MayTear(entry) ? "" : Name(entry) + " is a word, and took " + std::to_string(stores_) + " instructions";
}

// ---- changes -----------------------------------------------------------------------------------

std::string StoreWitness::Compare(bool may_change) {
  for (Region& region : regions_) {
    if (std::memcmp(region.known.data(), region.bytes.data(), region.bytes.size()) == 0) continue;
    if (!may_change) return std::string(shm::SpecOf(region.kind).name) + " changed without a step";
    ++counted_->changes;
    std::string problem = log_.IsInForeign(region.kind) ? TakeForeign(&region) : TakeChange(&region);
    if (problem.empty()) problem = inspect_();
    if (!problem.empty()) return problem;
  }
  return "";
}

std::string StoreWitness::TakeForeign(Region* region) {
  if (std::exchange(is_foreign_, true)) return "the kernel has written twice";
  ++counted_->by_kernel;
  before_foreign_ = std::exchange(region->known, {region->bytes.begin(), region->bytes.end()});
  return "";
}

std::string StoreWitness::TakeChange(Region* region) {
  const auto differs = [&](size_t i) { return region->known[i] != region->bytes[i]; };
  size_t first = 0;
  size_t end = region->known.size();
  while (!differs(first)) ++first;
  while (!differs(end - 1)) --end;
  const std::string place = Place(region->kind, first) + " to " + std::to_string(end - 1) + " changed ";
  if (!has_entry_ || is_foreign_) return place + "without an entry";
  const StoreEntry& entry = log_[taken_ - 1];
  if (entry.region != region->kind || first < entry.offset || end > entry.offset + entry.size) {
    return place + "beside " + Name(entry);
  }
  const ByteSpan now = log_.NewBytes(taken_ - 1);
  for (size_t i = first; i < end; ++i) {
    if (differs(i) && region->bytes[i] != now[i - entry.offset]) return place + "to other bytes than " + Name(entry);
    region->known[i] = region->bytes[i];
  }
  ++stores_;
  return "";
}

StoreWitness::Region* StoreWitness::Find(shm::RegionKind kind) {
  const auto found = std::find_if(regions_.begin(), regions_.end(), [kind](const Region& r) { return r.kind == kind; });
  return found == regions_.end() ? nullptr : &*found;
}

}  // namespace dory::crash
