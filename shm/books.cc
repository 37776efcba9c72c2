#include "shm/books.h"

#include <cstring>
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

// Intake's counters, with those of the journal that a decided burst has not set yet.
class IntakeSide {
 public:
  IntakeSide(const Segment& segment, uint32_t lane)
      : region_(segment.Bytes(RegionKind::kIntakeBooks, lane)),
        page_(*segment.Get<ProducerPage>(RegionKind::kProducer, lane)) {}

  // False where the burst moved meanwhile.
  bool Read(Books* books) {
    base_ = Load(page_.stage.base);
    const uint64_t tail = Load(page_.tail);
    const uint64_t decided = Load(page_.stage.decided);
    changes_.clear();
    if (tail != base_ || decided == kNothingAppended) {
      const uint64_t count = std::min<uint64_t>(Load(page_.stage.journal_count), kJournalSize);
      for (uint64_t i = 0; i < count; ++i) {
        changes_.push_back({Load(page_.stage.journal[i].counter), Load(page_.stage.journal[i].value)});
      }
    }
    ReadRows(books);
    return Load(page_.stage.base) == base_ && Load(page_.tail) == tail &&
           Load(page_.stage.decided) == decided;
  }

 private:
  void ReadRows(Books* books) {
    const auto* head = reinterpret_cast<const IntakeBooks*>(region_.data());
    const auto* rows = reinterpret_cast<const IntakeTopicRow*>(region_.data() + sizeof(IntakeBooks));
    const uint32_t count = std::min<uint32_t>(Load(head->topic_count), static_cast<uint32_t>(books->topics.size()));
    ReadCounters(head->rejected, &books->no_topic.rejected);
    for (uint32_t i = 0; i < count; ++i) {
      TopicBooks& topic = books->topics[i];
      topic.name.assign(rows[i].name, rows[i].name_size);
      topic.appended = ReadCounter(&rows[i].appended);
      ReadCounters(rows[i].rejected, &topic.rejected);
    }
    names_ = count;
  }

  template <size_t N>
  void ReadCounters(const uint64_t (&from)[N], std::array<uint64_t, N>* to) {
    for (size_t i = 0; i < N; ++i) (*to)[i] = ReadCounter(&from[i]);
  }

  uint64_t ReadCounter(const uint64_t* counter) const {
    const uint64_t index = static_cast<uint64_t>(counter - Words(region_));
    for (const CounterChange& change : changes_) {
      if (change.counter == index) return change.value;
    }
    return Load(*counter);
  }

  ByteSpan region_;
  const ProducerPage& page_;
  uint64_t base_ = 0;
  uint32_t names_ = 0;
  std::vector<CounterChange> changes_;

 public:
  uint32_t topic_count() const { return names_; }
};

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
  Books books;
  IntakeSide intake(segment, lane);
  do {
    books = Books{};
    ReadKafkaSide(segment, lane, &books);
  } while (!intake.Read(&books));
  books.topics.resize(intake.topic_count());
  return books;
}

}  // namespace dory::shm
