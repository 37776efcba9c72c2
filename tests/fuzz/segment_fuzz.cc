// segment_fuzz: damaged bytes as a segment. Each trial is a process of its own that does what a start does:
// the superblock, the question whether the tables are sound, and where they are, the recovery and the work
// of both workers, until nothing moves.
//
//   segment_fuzz [--first N] [--count N]
//
// Passes where every trial ends in a refusal or in work that comes to an end and leaves a sound segment.

#include <sys/wait.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <random>

#include "common/log.h"
#include "shm/check_buffer.h"
#include "shm/regions.h"
#include "shm/soundness.h"
#include "tests/fuzz/segment_seeds.h"

namespace dory::fuzz {
namespace {

constexpr int kRefused = 10;         // exit statuses of a trial
constexpr int kWentOn = 11;
constexpr int kLeftUnsound = 12;
constexpr unsigned kLongestTrialS = 30;  // then it is a loop
constexpr int kMostBursts = 100'000;

// ---- damage -----------------------------------------------------------------------------------

class Damager {
 public:
  Damager(uint64_t seed, Image* image)
      : random_(seed), image_(*image), superblock_(*reinterpret_cast<const shm::Superblock*>(image_.data())) {}

  void Damage() {
    if (OneIn(40)) return Overwrite(0, image_.size());
    if (OneIn(60)) return image_.resize(Below(image_.size()));
    for (uint64_t i = 1 + Below(6); i > 0; --i) DamageRegion();
  }

 private:
  uint64_t Below(uint64_t end) { return end == 0 ? 0 : random_() % end; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }

  void DamageRegion() {
    const shm::RegionEntry& region = superblock_.regions[Below(superblock_.region_count)];
    if (region.size == 0) return;
    if (OneIn(25)) return Overwrite(region.offset, region.size);
    if (region.kind == shm::RegionKind::kRing && OneIn(2)) return ForgeRecord(region);
    // Most of a region is never used: its beginning is where the tables are.
    const uint64_t size = OneIn(3) ? region.size : std::min<uint64_t>(region.size, 4096);
    SetWord(region.offset + Below(size));
  }

  // A record of the ring says something else, under a checksum that holds.
  void ForgeRecord(const shm::RegionEntry& ring) {
    for (int tries = 0; tries < 1000; ++tries) {
      const uint64_t at = ring.offset + Below(ring.size / shm::kRecordAlign) * shm::kRecordAlign;
      shm::RecordHeader header;
      std::memcpy(&header, image_.data() + at, sizeof(header));
      if (header.size < shm::kRecordOverhead || header.size > ring.offset + ring.size - at) continue;
      const std::span<std::byte> record(image_.data() + at, header.size);
      if (shm::RecordCrc(record) != header.crc) continue;
      SetWord(at + Below(shm::kRecordOverhead));
      const uint32_t crc = shm::RecordCrc(record);
      std::memcpy(image_.data() + at + offsetof(shm::RecordHeader, crc), &crc, sizeof(crc));
      return;
    }
  }

  void Overwrite(uint64_t begin, uint64_t size) {
    for (uint64_t i = begin; i < std::min<uint64_t>(begin + size, begin + 65536); ++i) {
      image_[i] = static_cast<std::byte>(random_());
    }
  }

  void SetWord(uint64_t at) {
    if (OneIn(3)) {
      image_[at] ^= static_cast<std::byte>(1u << Below(8));
    } else if (OneIn(2)) {
      Put<uint32_t>(at & ~uint64_t{3});
    } else {
      Put<uint64_t>(at & ~uint64_t{7});
    }
  }

  template <typename T>
  void Put(uint64_t at) {
    if (at + sizeof(T) > image_.size()) return;
    T value;
    std::memcpy(&value, image_.data() + at, sizeof(value));
    const T choices[] = {0, 1, static_cast<T>(-1), static_cast<T>(value + 1), static_cast<T>(value - 1),
                         static_cast<T>(value + 32), static_cast<T>(value << 1), static_cast<T>(Below(256)),
                         static_cast<T>(random_()), static_cast<T>(kGeometry.ring_size)};
    value = choices[Below(std::size(choices))];
    std::memcpy(image_.data() + at, &value, sizeof(value));
  }

  std::mt19937_64 random_;
  Image& image_;
  const shm::Superblock superblock_;  // as it was
};

// ---- a start ----------------------------------------------------------------------------------

void RunIntake(int fd) {
  shm::Segment segment = shm::Segment::Map(fd, shm::Role::kIntake, 0).Take();
  const IntakeEnds ends;
  const Config config = MakeConfig();  // the lane's topics look into it
  intake::IntakeLane lane(segment, 0, config, MakeSettings(), ends.bell.get());
  lane.Recover();
  for (int i = 0; i < kMostBursts && lane.PublishLeftovers() == intake::Outcome::kMore; ++i) continue;
}

void RunKafka(int fd) {
  shm::Segment segment = shm::Segment::Map(fd, shm::Role::kKafka, 0).Take();
  kafka::Memory memory(segment, 0);
  const std::vector<shm::BatchId> live = kafka::Recover(memory);
  kafka::TopicTable topics(memory, MakeConfig());
  topics.Adopt(live);
  kafka::Drain drain(memory, topics);
  while (drain.DrainRing(0).moved) continue;
  for (const auto& topic : topics.topics()) {
    topic->known = topics.SetPartitionCount(*topic, 2);  // not where damage says that others have all there may be
    if (topic->known) drain.DrainWaiting(*topic, 0);
  }
  while (drain.DrainRing(0).moved) continue;
}

// With the segment as it is then checked: by the same question, and counted.
bool IsLeftSound(int fd) {
  const shm::Segment segment = shm::Segment::Map(fd, shm::Role::kCheck, 0).Take();
  (void)shm::CheckBuffer(segment, 0);
  const Status sound = shm::CheckSound(segment, 0);
  if (!sound.ok()) std::fprintf(stderr, "left unsound: %s\n", sound.message().c_str());
  return sound.ok();
}

// What is zero is left out: most of a segment is.
void WriteSparse(const Image& image, int fd) {
  constexpr size_t kChunk = 16 * 1024;
  static constexpr std::byte kZeroes[kChunk] = {};
  if (::ftruncate(fd, static_cast<off_t>(image.size())) != 0) std::abort();
  for (size_t at = 0; at < image.size(); at += kChunk) {
    const size_t size = std::min(kChunk, image.size() - at);
    if (std::memcmp(image.data() + at, kZeroes, size) == 0) continue;
    if (::pwrite(fd, image.data() + at, size, static_cast<off_t>(at)) != static_cast<ssize_t>(size)) std::abort();
  }
}

int Start(const Image& image) {
  const FileDescriptor fd(::memfd_create("segment", MFD_CLOEXEC));
  WriteSparse(image, fd.get());
  if (!shm::ReadGeometry(fd.get()).ok()) return kRefused;
  {
    const Result<shm::Segment> checked = shm::Segment::Map(fd.get(), shm::Role::kCheck, 0);
    if (!checked.ok() || !shm::CheckSound(checked.value(), 0).ok()) return kRefused;
    (void)shm::CheckBuffer(checked.value(), 0);
  }
  RunIntake(fd.get());
  RunKafka(fd.get());
  return IsLeftSound(fd.get()) ? kWentOn : kLeftUnsound;
}

// ---- trials -----------------------------------------------------------------------------------

int RunTrial(const std::vector<Image>& seeds, uint64_t number) {
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::alarm(kLongestTrialS);
    Image image = seeds[number % seeds.size()];
    if (number >= seeds.size()) Damager(number, &image).Damage();
    ::_exit(Start(image));
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status;
}

int Run(uint64_t first, uint64_t count) {
  (void)OpenLog("segment_fuzz", "/dev/null", LogLevel::kError);
  const std::vector<Image> seeds = MakeSeeds();
  uint64_t refused = 0;
  uint64_t failed = 0;
  for (uint64_t number = first; number < first + count; ++number) {
    const int status = RunTrial(seeds, number);
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    const bool whole = number < seeds.size();  // nothing was damaged: it must go on
    refused += code == kRefused;
    if (code == kWentOn || (code == kRefused && !whole)) continue;
    ++failed;
    std::printf("trial %llu: %s %d\n", static_cast<unsigned long long>(number),
                WIFSIGNALED(status) ? "ended by signal" : "exit status", WIFSIGNALED(status) ? WTERMSIG(status) : code);
  }
  std::printf("%llu refused, %llu went on\n", static_cast<unsigned long long>(refused),
              static_cast<unsigned long long>(count - refused - failed));
  std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(count - failed),
              static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace dory::fuzz

int main(int argc, char** argv) {
  uint64_t first = 0;
  uint64_t count = 20'000;
  CLI::App app("Damaged bytes as a segment: refused, or worked on to an end.");
  app.add_option("--first", first, "the number of the first trial");
  app.add_option("--count", count, "how many trials");
  CLI11_PARSE(app, argc, argv);
  return dory::fuzz::Run(first, count);
}
