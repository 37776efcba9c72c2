// What the kafka worker keeps in mind of topics and partitions: who leads them, which batches wait for
// them, and when to look at them again. All of it private, rebuilt at a start from the descriptors.
//
// A batch is in exactly one place: a topic's `any` or `waiting` queue, a partition's `keyed` or
// `pinned` queue, or Partition::batch while it is being sent. Queues are in the order of their batches'
// `order`; only the last batch of `any`, `keyed` and `waiting` takes more records, and only while OPEN.

#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/container/small_vector.hpp>

#include "common/config.h"
#include "kafka_worker/complaint.h"
#include "kafka_worker/memory.h"
#include "kafka_worker/protocol/topic_id.h"
#include "kafka_worker/suspicion.h"
#include "kafka_worker/unanswered.h"
#include "shm/kafka_start.h"

namespace dory::kafka {

class BrokerConnection;
using shm::BatchId;
// Short, mostly of one, which lies in it; the front is the oldest.
using BatchQueue = boost::container::small_vector<BatchId, 2>;

// A batch takes no more records beyond this: with its header it stays below the 1,048,588 bytes that
// brokers take by default.
inline constexpr uint64_t kBatchBytesLimit = 1'000'000;

// Answers that a batch can't get past by being patient alone.
struct Trouble {
  Complaint unauthorized;
  Complaint server_error;
  Unanswered lone_cuts;  // of the connection, each with this one's batch alone on it
  uint32_t most_records = 0;  // of a window, while the record that is the cause is sought; 0: any
};

struct alignas(64) Partition {
  enum class State {
    kIdle,      // nothing of it is SENT
    kInFlight,  // `batch` is chosen or on its way
    kRetry,     // `batch` is SENT and goes again
    kAsking,    // so, once its leader has said whether it is in the log (log_lookup.h)
  };

  // What each record looks at comes first, in one line of the caches.
  BatchQueue keyed;
  uint32_t row = shm::kNoIndex;  // in the segment's partition rows
  bool listed_busy = false;      // in its topic's `busy`
  State state = State::kIdle;
  BatchId batch = shm::kNoIndex;

  BatchQueue pinned;  // AnyPartition batches that were sent here once
  int32_t leader = -1;
  int32_t leader_epoch = -1;     // of the newest word of it; -1: brokers do not say
  int64_t leader_since_ms = 0;   // when that word came
  uint32_t failures = 0;  // attempts in a row that were not acknowledged
  int64_t not_before_ms = 0;
  Suspicion suspicion;
  int64_t attempted_ms = 0;      // when its last request went out
  int64_t any_not_before_ms = 0; // suspect: when it may take an AnyPartition batch although others are healthy
  Trouble trouble;
  bool asked = false;               // the leader was, since the last attempt
  bool duplicates_counted = false;  // of `batch`, whose outcome is still unknown
};

// Whether a broker that tells this epoch is behind what another one has said a moment ago. It is believed in
// the end: a topic that is deleted and made anew begins with 0 again, and brokers without ids do not say so.
inline constexpr int64_t kBehindMs = 5000;
inline bool IsBehind(const Partition& partition, int32_t leader_epoch, int64_t now_ms) {
  return leader_epoch >= 0 && leader_epoch < partition.leader_epoch && now_ms - partition.leader_since_ms < kBehindMs;
}

// Takes a word of who leads it.
inline void SetLeader(Partition& partition, int32_t leader, int32_t leader_epoch, int64_t now_ms) {
  if (leader_epoch != partition.leader_epoch) partition.leader_since_ms = now_ms;
  partition.leader = leader;
  partition.leader_epoch = leader_epoch;
}

struct alignas(64) Topic {
  // What each record looks at comes first, in two lines of the caches with the beginning of `config`; then what each
  // batch does (look_ahead.h).
  std::vector<Partition> partitions;  // by id; more than it has, where it had more (lost_partitions.cc)
  size_t partition_count = 0;         // that it has
  // Brokers did not know it, or us, for longer than the deadline, and never said how many partitions there are: why its
  // records are discarded.
  std::optional<shm::Discard> given_up;
  uint32_t row = 0;
  bool known = false;  // brokers said how many there are
  bool too_many = false;  // more than fit, beside those of other topics (TopicTable::SetPartitionCount)
  bool dirty = false;
  bool is_combined = false;  // it has records in a batch that TopicTable counts as combined
  bool listed_waiting = false;
  // A batch does not grow beyond it: brokers' MESSAGE_TOO_LARGE made it less.
  uint64_t batch_bytes_limit = kBatchBytesLimit;
  BatchQueue waiting;
  TopicConfig config;

  BatchQueue any;
  std::vector<size_t> busy;      // those with a batch of their own, and some that had one (TopicTable::ListBusy)
  int64_t alarm_ms = INT64_MAX;  // when it is marked dirty at the latest

  std::string name;
  protocol::TopicId id{};        // by the newest metadata; none: it did not say
  protocol::TopicId known_id{};  // the last that any said; and the one before, which who says it again is behind:
  protocol::TopicId former_id{};
  int64_t known_id_since_ms = 0;
  int64_t fewer_since_ms = 0;    // since when brokers say that they are fewer, and are not believed; 0: they do not
  bool another = false;          // what was known of it is of another cluster's
  shm::WaitingPlace waiting_place{};   // how far the oldest waiting batch is passed
  size_t next_partition = 0;           // whose turn it is for an AnyPartition batch
  Complaint unknown;                   // what brokers answer when they are asked for it
  Complaint unauthorized;
  int16_t metadata_error = 0;          // likewise, any other error, until an answer without one
  bool unresolved = true;              // metadata lacks something of it, such as a leader
  bool codec_missed = false;   // a broker is too old for its codec, and that was said
  bool codec_refused = false;  // a broker answered that it can't be: uncompressed until it is configured anew
  // A broker answered that its message format has no sequences: until then its batches go without, and then
  // one is tried with; 0: it has them. CLOCK_MONOTONIC.
  int64_t without_sequences_until_ms = 0;
  int64_t without_headers_until_ms = 0;  // likewise for headers, of batches without sequences
  int64_t deadline_since_ns = 0;  // since when delivery_deadline is what it is, where it was reloaded; CLOCK_BOOTTIME
  int64_t full_said_ms = INT64_MIN / 2;  // when it was said last that what waits has used up the share
  std::vector<const BrokerConnection*> waits_at;  // that had no room (Sender::OnRoom)
};

// Whether the topic was created anew since the newest batch of a partition was first sent: its log is another one.
inline bool IsLogNew(const shm::PartitionRow& row, const protocol::TopicId& id) {
  const auto is = [&row](const protocol::TopicId& other) {
    return std::equal(other.begin(), other.end(), row.topic_id);
  };
  return id != protocol::kNoTopicId && !is(protocol::kNoTopicId) && !is(id);
}

// What decides when a batch is due.
struct DueRule {
  int64_t now_ns;  // CLOCK_BOOTTIME
  bool drain;      // everything is due: a stop, or doryctl drain
  uint64_t combined_before = 0;  // so are combined topics' batches of a lesser `order`
};

// When a batch that began then has waited for its batch time (CLOCK_BOOTTIME, ns): at the last tick within it, of four
// in a batch time. So batches that began in one quarter are due together, and share requests; one that begins right
// behind a tick, as those of a busy partition do, waits for all of it (doc/decisions/0016-batches-are-due-at-ticks.md).
int64_t FindDueNs(int64_t first_record_boottime_ns, int64_t batch_time_ms);

// In how many ms this OPEN or PINNED batch is to be sent, 0: now; `last` where it could still take records.
int64_t DueInMs(const shm::BatchDescriptor& batch, const TopicConfig& config, bool last, const DueRule& rule);

class TopicTable {
 public:
  TopicTable(Memory& memory, const Config& config);

  // The topic of a row; made where it is new (`*created`). REQUIRES: the row is published.
  Topic& Get(uint32_t row, bool* created = nullptr);
  // None where it is new.
  const Topic* Find(uint32_t row) const { return by_row_[row]; }
  Topic* FindByName(std::string_view name);
  const std::vector<std::unique_ptr<Topic>>& topics() const { return topics_; }

  // The segment's row of a partition; kNoIndex where it has none yet.
  uint32_t FindPartitionRow(uint32_t topic_row, int32_t partition) const;

  // Makes it where it is new: stored, then published. kNoIndex: no row is left.
  uint32_t EnsurePartitionRow(uint32_t topic_row, int32_t partition);

  // Sizes `partitions`; those that were known keep what they have. Of fewer than before those that are gone have no
  // leader, and stay until what they hold has gone elsewhere. False, and nothing is changed: all topics together would
  // have more than there are rows for in the segment.
  [[nodiscard]] bool SetPartitionCount(Topic& topic, size_t count);

  // The partitions that have a batch of their own, queued or on its way, or wait for a lookup's end. One is noted
  // whenever it may have its first.
  static void NoteBusy(Topic& topic, size_t partition);
  static const std::vector<size_t>& ListBusy(Topic& topic);

  // Those with waiting batches. A topic is noted whenever it has its first.
  void NoteWaiting(Topic& topic);
  const std::vector<Topic*>& ListWaiting();

  // Puts every live batch where it belongs. REQUIRES: recovery is done.
  void Adopt(const std::vector<BatchId>& live);

  void MarkDirty(Topic& topic);
  void MarkAllDirty();
  bool HasDirty() const { return !dirty_.empty(); }
  const std::vector<Topic*>& dirty() const { return dirty_; }
  std::vector<Topic*> TakeDirty();

  // Marks the topic dirty at that time (CLOCK_MONOTONIC, ms) or before; whoever finds that it was too
  // early asks again.
  void MarkDirtyAt(Topic& topic, int64_t at_ms);
  // Marks those whose time has come.
  void MarkDue(int64_t now_ms);
  // In how many ms the next one's comes; -1: none's.
  int64_t NextDueMs(int64_t now_ms) const;

  // A record came into a batch of a topic whose batching is combined.
  void NoteCombined(Topic& topic, uint64_t bytes, int64_t now_ms);
  uint64_t combined_before() const { return combined_.before; }

  // Blocks of the pool from which on a topic's partition_full applies.
  uint64_t ShareBlocks() const;

  void SetConfig(const Config& config);

 private:
  // What combined topics hold together since their batches were due the last time.
  struct Combined {
    std::vector<Topic*> topics;
    uint64_t bytes = 0;
    int64_t messages = 0;
    int64_t due_ms = INT64_MAX;  // CLOCK_MONOTONIC
    uint64_t before = 0;         // batches of a lesser `order` are due
  };

  void MakeCombinedDue();
  shm::WaitingPlace FindWaitingPlace(const Topic& topic) const;
  void AdoptPartitioned(Topic& topic, BatchId batch);
  void ResizePartitions(Topic& topic, size_t size);

  Memory& memory_;
  Config config_;
  std::vector<std::unique_ptr<Topic>> topics_;
  std::vector<Topic*> by_row_;
  std::map<std::string, Topic*, std::less<>> by_name_;
  size_t partitions_ = 0;  // of all topics
  std::map<std::pair<uint32_t, int32_t>, uint32_t> partition_rows_;
  std::vector<Topic*> waiting_;
  std::vector<Topic*> dirty_;
  Combined combined_;
  std::map<int64_t, std::vector<Topic*>> alarms_;  // by their time
};

// Of a topic with too_many, for the status and the log.
std::string DescribeTooMany(const Topic& topic);

}  // namespace dory::kafka
