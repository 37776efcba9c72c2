#include "shm/books.h"

#include <algorithm>
#include <numeric>

#include "shm/store.h"

namespace dory::shm {
namespace {

uint64_t SumOf(std::span<const uint64_t> counters) {
  return std::accumulate(counters.begin(), counters.end(), uint64_t{0});
}

template <size_t N>
void LoadCounters(const uint64_t (&from)[N], std::array<uint64_t, N>* to) {
  for (size_t i = 0; i < N; ++i) (*to)[i] = Load(from[i]);
}

const uint64_t* Words(ByteSpan region) { return reinterpret_cast<const uint64_t*>(region.data()); }

void LoadKafkaRow(const KafkaTopicRow& row, TopicBooks* topic) {
  topic->delivered = Load(row.delivered);
  topic->possible_duplicates = Load(row.possible_duplicates);
  LoadCounters(row.discarded, &topic->discarded);
}

// The kafka worker's side; a discard that is committed and perhaps not counted yet is counted.
void ReadKafkaSide(const Segment& segment, uint32_t lane, Books* books) {
  const ByteSpan region = segment.Bytes(RegionKind::kKafkaBooks, lane);
  const auto* rows = reinterpret_cast<const KafkaTopicRow*>(region.data());
  const uint32_t max_topics = segment.geometry().max_topics;
  books->topics.resize(max_topics);
  const DiscardCell& cell = segment.Get<ConsumerPage>(RegionKind::kConsumer, lane)->cell;
  const bool pending = Load(cell.done) != Load(cell.position);
  const uint64_t counter = Load(cell.counter);
  const uint64_t value = Load(cell.value);
  for (uint32_t i = 0; i <= max_topics; ++i) {
    TopicBooks& topic = i < max_topics ? books->topics[i] : books->no_topic;
    LoadKafkaRow(rows[i], &topic);
    const uint64_t* const first = rows[i].discarded;
    const uint64_t* const named = Words(region) + counter;
    if (pending && named >= first && named < first + kDiscardRoom) topic.discarded[named - first] = value;
  }
}

// Where a burst stands: it did not move while this stays the same.
struct BurstMark {
  uint64_t base;
  uint64_t tail;
  uint64_t decided;

  bool operator==(const BurstMark&) const = default;
};

BurstMark LoadMark(const ProducerPage& page) {
  return {Load(page.stage.base), Load(page.tail), Load(page.stage.decided)};
}

void ReadIntakeRows(ByteSpan region, Books* books) {
  const auto* head = reinterpret_cast<const IntakeBooks*>(region.data());
  const auto* rows = reinterpret_cast<const IntakeTopicRow*>(head + 1);
  const size_t count = std::min<size_t>(Load(head->topic_count), books->topics.size());
  books->topics.resize(count);
  LoadCounters(head->rejected, &books->no_topic.rejected);
  for (size_t i = 0; i < count; ++i) {
    TopicBooks& topic = books->topics[i];
    topic.name.assign(rows[i].name, rows[i].name_size);
    topic.appended = Load(rows[i].appended);
    LoadCounters(rows[i].rejected, &topic.rejected);
  }
  books->unsupported_versions.clear();
  for (const VersionTally& tally : head->unsupported_versions) {
    if (Load(tally.used) == 0) break;
    books->unsupported_versions.push_back({tally.api_key, tally.api_version, Load(tally.count)});
  }
}

// Of a word in the tallies.
uint64_t* FindTally(uint64_t offset, Books* books) {
  constexpr size_t kFirst = offsetof(IntakeBooks, unsupported_versions) + offsetof(VersionTally, count);
  const size_t at = (offset - kFirst) / sizeof(VersionTally);
  const bool is_count = offset >= kFirst && (offset - kFirst) % sizeof(VersionTally) == 0;
  return is_count && at < books->unsupported_versions.size() ? &books->unsupported_versions[at].count : nullptr;
}

// The counter of the books that a word of the intake's region stands for; null: none of them.
uint64_t* FindCounter(uint64_t word, Books* books) {
  const uint64_t offset = word * sizeof(uint64_t);
  const auto among = [](std::array<uint64_t, kRejectRoom>& counters, uint64_t at) {
    return at < counters.size() ? &counters[at] : nullptr;
  };
  if (offset >= offsetof(IntakeBooks, unsupported_versions) && offset < sizeof(IntakeBooks)) {
    return FindTally(offset, books);
  }
  if (offset < sizeof(IntakeBooks)) {
    return among(books->no_topic.rejected, word - offsetof(IntakeBooks, rejected) / sizeof(uint64_t));
  }
  const uint64_t row = (offset - sizeof(IntakeBooks)) / sizeof(IntakeTopicRow);
  const uint64_t in_row = (offset - sizeof(IntakeBooks)) % sizeof(IntakeTopicRow);
  if (row >= books->topics.size()) return nullptr;
  if (in_row == offsetof(IntakeTopicRow, appended)) return &books->topics[row].appended;
  return among(books->topics[row].rejected,
               (in_row - offsetof(IntakeTopicRow, rejected)) / sizeof(uint64_t));
}

using Changes = std::vector<std::pair<uint64_t, uint64_t>>;  // counter, value

// The journal of a burst that is decided and perhaps not counted yet.
Changes ReadJournal(const Stage& stage, const BurstMark& mark) {
  Changes changes;
  if (mark.tail == mark.base && mark.decided != kNothingAppended) return changes;
  const uint64_t count = std::min<uint64_t>(Load(stage.journal_count), kJournalSize);
  for (uint64_t i = 0; i < count; ++i) {
    changes.emplace_back(Load(stage.journal[i].counter), Load(stage.journal[i].value));
  }
  return changes;
}

// False where the burst moved meanwhile. Bursts that append nothing leave the mark as it was, but not the
// journal: its values only grow.
bool ReadIntakeSide(const Segment& segment, uint32_t lane, Books* books) {
  const ProducerPage& page = *segment.Get<ProducerPage>(RegionKind::kProducer, lane);
  const BurstMark mark = LoadMark(page);
  const Changes changes = ReadJournal(page.stage, mark);
  ReadIntakeRows(segment.Bytes(RegionKind::kIntakeBooks, lane), books);
  for (const auto& [word, value] : changes) {
    uint64_t* const counter = FindCounter(word, books);
    if (counter != nullptr) *counter = value;
  }
  return LoadMark(page) == mark && ReadJournal(page.stage, mark) == changes;
}

// Nothing is shown delivered that is not shown appended.
bool IsPlausible(const Books& books) {
  return std::all_of(books.topics.begin(), books.topics.end(), [](const TopicBooks& topic) {
    return topic.appended >= topic.delivered + topic.Discarded();
  });
}

}  // namespace

uint64_t TopicBooks::Rejected() const { return SumOf(rejected); }
uint64_t TopicBooks::Discarded() const { return SumOf(discarded); }

template <typename Of>
static uint64_t SumTopics(const Books& books, Of of) {
  uint64_t sum = of(books.no_topic);
  for (const TopicBooks& topic : books.topics) sum += of(topic);
  return sum;
}

uint64_t Books::Appended() const {
  return SumTopics(*this, [](const TopicBooks& t) { return t.appended; });
}
uint64_t Books::Rejected() const {
  return SumTopics(*this, [](const TopicBooks& t) { return t.Rejected(); });
}
uint64_t Books::Delivered() const {
  return SumTopics(*this, [](const TopicBooks& t) { return t.delivered; });
}
uint64_t Books::Discarded() const {
  return SumTopics(*this, [](const TopicBooks& t) { return t.Discarded(); });
}
uint64_t Books::PossibleDuplicates() const {
  return SumTopics(*this, [](const TopicBooks& t) { return t.possible_duplicates; });
}
uint64_t Books::RejectedFor(Reject reason) const {
  return SumTopics(*this, [reason](const TopicBooks& t) { return t.rejected[static_cast<size_t>(reason)]; });
}
uint64_t Books::DiscardedFor(Discard reason) const {
  return SumTopics(*this, [reason](const TopicBooks& t) { return t.discarded[static_cast<size_t>(reason)]; });
}

const char* NameOf(Reject reason) {
  static constexpr std::array<const char*, kRejectReasons> kNames = {
      "malformed",   "too_long", "unsupported_key", "unsupported_version", "bad_topic", "too_many_topics",
      "no_room",     "rate_limit", "not_allowed",   "unclean_disconnect_unix", "unclean_disconnect_tcp"};
  return kNames[static_cast<size_t>(reason)];
}

const char* NameOf(Discard reason) {
  static constexpr std::array<const char*, kDiscardReasons> kNames = {
      "corrupt",  "unknown_topic",  "too_large", "refused", "not_authorized",
      "deadline", "partition_full", "ambiguous", "other"};
  return kNames[static_cast<size_t>(reason)];
}

Books ReadBooks(const Segment& segment, uint32_t lane) {
  constexpr int kExactTries = 4;
  Books books;
  for (int tries = 1;; ++tries) {
    books = Books{};
    ReadKafkaSide(segment, lane, &books);
    if (ReadIntakeSide(segment, lane, &books)) return books;
    if (tries < kExactTries) continue;
    ReadIntakeRows(segment.Bytes(RegionKind::kIntakeBooks, lane), &books);
    if (IsPlausible(books)) return books;
  }
}

}  // namespace dory::shm
