// The segment's layout: every struct that two lives of a process, or two processes, share.
//
// One file in tmpfs, cut into regions; each region has exactly one writer and is mapped read-only by
// everyone else (segment.h). Positions are 64-bit byte counts that only grow; offsets are relative to
// a region; there are no pointers but those of the receive slots, which every start rewrites. Words of
// different writers lie in different 128-byte lines. doc/segment.md draws it.
//
// A change of any struct here is a new kLayoutNumber, unless it only gives reserved bytes a meaning in which zeros
// say what held before: those were zero in every segment.

#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>

#include "shm/sender_control.h"

namespace dory::shm {

inline constexpr uint64_t kMagic = 0x3179726f44'0a0dULL << 8 | 0x1a;  // zero is never valid
inline constexpr uint32_t kLayoutNumber = 3;
inline constexpr size_t kLine = 128;
inline constexpr size_t kBlockSize = 16 * 1024;
inline constexpr size_t kAreaSize = 64 * 1024;
inline constexpr size_t kRecordAlign = 32;
inline constexpr uint32_t kSlotCount = 64;        // datagrams of one burst
inline constexpr uint32_t kMaxPartitions = 65536;  // partition rows of a lane
inline constexpr uint32_t kMaxLanes = 16;
inline constexpr uint32_t kMaxConnections = 65536;  // of a lane
inline constexpr uint32_t kNoIndex = UINT32_MAX;  // "no row", "no block"
inline constexpr uint32_t kMaxTickets = 1u << 20;   // of a lane
inline constexpr uint64_t kMaxMessageSize = 100ULL << 20;

// ---- superblock: written by the supervisor, at creation only -----------------------------------

enum class RegionKind : uint16_t {
  kSuperblock,
  kWorkerSlots,
  kWorkerPage,   // one a worker: heartbeat, progress, breadcrumb
  kReport,       // one a worker: prefixes and windows of the discard report
  kIntakeBooks,  // topic names and intake's counters
  kKafkaBooks,   // the kafka worker's counters
  kReceive,      // mmsghdr array and datagram slots
  kConnections,  // stream connections            (size 0 where there are no stream inputs, and so are kAreas,
                 // kTickets and kOutcomes)
  kAreas,        // received stream bytes of messages that are not decided
  kTickets,      // receipts asked for, and what is to be sent of them
  kProducer,     // tail and stage
  kRing,         // records
  kConsumer,     // head and discard cell
  kProducerIds,  // Kafka producer ids
  kPartitions,   // partition rows
  kBatches,      // batch descriptors
  kChains,       // next[block]
  kPool,         // blocks
  kOutcomes,     // what became of the messages that they are of
  kCount
};
inline constexpr size_t kRegionKinds = static_cast<size_t>(RegionKind::kCount);
inline constexpr size_t kMaxRegions = 2 + 20 * kMaxLanes;

struct RegionEntry {
  RegionKind kind;
  uint16_t lane;
  uint32_t role;    // Role of the one writer
  uint64_t offset;  // from the start of the file, a multiple of Superblock::align
  uint64_t size;    // bytes, as used; the file has the rest of the alignment as well
};
static_assert(sizeof(RegionEntry) == 24);

// What the sizes of all regions follow from. The segment's own values win over the configuration.
struct Geometry {
  uint64_t ring_size;
  uint64_t pool_size;
  uint32_t lanes;
  uint32_t max_topics;
  uint32_t slot_size;    // largest datagram, bytes
  uint32_t connections;  // stream connections of a lane; 0: there are no stream inputs, nor areas
  uint32_t areas;        // of kAreaSize, of a lane
  uint32_t large_areas;  // of large_area_size, of a lane
  uint64_t large_area_size;
  uint32_t tickets = 0;  // of a lane: receipts that are asked for and not written yet
  uint32_t reserved = 0;

  bool operator==(const Geometry&) const = default;
  uint32_t BlockCount() const { return static_cast<uint32_t>(pool_size / kBlockSize); }
};
static_assert(sizeof(Geometry) == 56);

struct Superblock {
  uint64_t magic;  // stored last
  uint32_t layout;
  uint32_t size;  // sizeof(Superblock)
  uint8_t uuid[16];
  char boot_id[40];
  uint64_t file_size;
  uint64_t align;
  Geometry geometry;
  uint32_t region_count;
  uint32_t crc;  // crc32c of all other bytes but magic, with crc = 0
  RegionEntry regions[kMaxRegions];
};
static_assert(offsetof(Superblock, layout) == 8 && offsetof(Superblock, uuid) == 16);
static_assert(offsetof(Superblock, boot_id) == 32 && offsetof(Superblock, file_size) == 72);
static_assert(offsetof(Superblock, align) == 80 && offsetof(Superblock, geometry) == 88);
static_assert(offsetof(Superblock, region_count) == 144 && offsetof(Superblock, crc) == 148);
static_assert(offsetof(Superblock, regions) == 152);

// ---- worker slots: written by the supervisor ---------------------------------------------------

inline constexpr uint32_t kMaxQuarantined = 14;

struct alignas(kLine) WorkerSlot {
  int32_t pid;  // 0: none
  uint32_t quarantine_count;
  uint64_t generation;
  uint64_t start_time;  // field 22 of /proc/PID/stat, so that a reused pid is told apart
  uint64_t quarantine[kMaxQuarantined];  // records that a successor leaves out
};
static_assert(offsetof(WorkerSlot, generation) == 8 && offsetof(WorkerSlot, start_time) == 16);
static_assert(offsetof(WorkerSlot, quarantine) == 24 && sizeof(WorkerSlot) == 256);

// ---- worker page: written by that worker -------------------------------------------------------

struct alignas(kLine) WorkerPage {
  uint64_t heartbeat;  // grows every 5 s, and with every loop that did something
  uint64_t progress;   // grows when a burst is published or a batch settled
  uint32_t phase;      // breadcrumb: what was being done (Step of breadcrumb.h),
  uint32_t reserved;
  uint64_t subject;    // and to which record or batch
};
static_assert(offsetof(WorkerPage, progress) == 8 && offsetof(WorkerPage, phase) == 16);
static_assert(offsetof(WorkerPage, subject) == 24 && sizeof(WorkerPage) == kLine);

// ---- books: counters that outlive a crash ------------------------------------------------------

enum class Reject : uint32_t {
  kMalformed,
  kTooLong,
  kUnsupportedKey,
  kUnsupportedVersion,
  kBadTopic,
  kTooManyTopics,
  kNoRoom,
  kRateLimit,
  kNotAllowed,
  kUncleanUnix,  // end of a UNIX stream inside a message
  kUncleanTcp,
  kCount
};
inline constexpr size_t kRejectReasons = static_cast<size_t>(Reject::kCount);
inline constexpr size_t kRejectRoom = 15;  // places kept, so that a reason more is no new layout
static_assert(kRejectReasons <= kRejectRoom);

inline constexpr size_t kTopicNameRoom = 255;
inline constexpr size_t kMaxTopicName = 249;  // Kafka's own limit

struct alignas(kLine) IntakeTopicRow {
  uint8_t name_size;
  char name[kTopicNameRoom];
  uint64_t appended;
  uint64_t rejected[kRejectRoom];
};
static_assert(offsetof(IntakeTopicRow, appended) == 256 && offsetof(IntakeTopicRow, rejected) == 264);
static_assert(sizeof(IntakeTopicRow) == 384);

struct VersionTally {
  int16_t api_key;
  int16_t api_version;
  uint32_t used;  // 1 once the two above are set
  uint64_t count;
};
static_assert(sizeof(VersionTally) == 16);
inline constexpr size_t kVersionTallies = 32;

struct alignas(kLine) IntakeBooks {
  uint32_t topic_count;  // published after the row it adds
  uint32_t reserved;
  uint64_t rejected[kRejectRoom];  // messages whose topic has no row
  VersionTally unsupported_versions[kVersionTallies];
  // IntakeTopicRow rows[max_topics] follow
};
static_assert(offsetof(IntakeBooks, rejected) == 8);
static_assert(offsetof(IntakeBooks, unsupported_versions) == 128 && sizeof(IntakeBooks) == 640);

enum class Discard : uint32_t {
  kCorrupt,        // the record's crc does not hold
  kUnknownTopic,   // brokers answer "unknown" for longer than unknown_topic_deadline
  kTooLarge,       // a single record is refused for its size
  kRefused,        // a broker refused the record
  kNotAuthorized,
  kDeadline,
  kPartitionFull,
  kAmbiguous,
  kOther,          // a broker's answer that has no reason of its own
  kCount
};
inline constexpr size_t kDiscardReasons = static_cast<size_t>(Discard::kCount);
inline constexpr size_t kDiscardRoom = 14;
static_assert(kDiscardReasons <= kDiscardRoom);

struct alignas(kLine) KafkaTopicRow {
  uint64_t delivered;
  uint64_t possible_duplicates;
  uint64_t discarded[kDiscardRoom];
};
static_assert(sizeof(KafkaTopicRow) == kLine);
// KafkaBooks is KafkaTopicRow rows[max_topics + 1]; the last one is for records whose topic is unknown.

// ---- receive slots: written by intake, and by the kernel for it ---------------------------------

inline constexpr uint32_t kEmptySlot = UINT32_MAX;  // a datagram may be empty

struct alignas(kLine) ReceiveHeader {
  uint32_t input;         // the datagram socket that the slots' messages came from; stored before P2
  uint32_t control_size;  // of an empty slot: sizeof(SenderControl), or 0 where nobody asks who sends
};
static_assert(offsetof(ReceiveHeader, control_size) == 4);

struct alignas(kLine) ReceiveSlots {
  ReceiveHeader header;
  mmsghdr messages[kSlotCount];
  iovec buffers[kSlotCount];
  SenderControl controls[kSlotCount];
  // kSlotCount slots of Geometry::slot_size bytes follow, at kSlotsOffset
};
static_assert(sizeof(mmsghdr) == 64 && sizeof(iovec) == 16);
static_assert(offsetof(ReceiveSlots, messages) == kLine);
static_assert(offsetof(ReceiveSlots, controls) == kLine + kSlotCount * (sizeof(mmsghdr) + sizeof(iovec)));
inline constexpr size_t kSlotsOffset = 8192;
static_assert(sizeof(ReceiveSlots) <= kSlotsOffset);

// ---- stream connections: written by intake, and by the kernel for it ----------------------------

// The bytes of a connection from position `base` on lie in an area, from its first byte on.
struct AreaBinding {
  uint64_t area;  // below Geometry::areas: a small one; the large ones follow
  uint64_t base;
};

// Positions count the bytes of the entry's connections, one after the other. [out, in) has been received and
// is not decided; the binding means something only where that is not empty, else the area is free.
struct alignas(kLine) Connection {
  uint64_t generation;  // the supervisor's, of the connection at hand; 0: there was none
  uint64_t ended;       // == generation: it is not read any more
  uint64_t read_base;   // where the bytes of the next recvmmsg begin
  uint64_t in;
  uint64_t out;
  uint64_t current;     // binding[current & 1] is the valid one
  AreaBinding binding[2];
  uint32_t input;       // among the configuration's inputs, stored before generation
  uint32_t is_tcp;      // else UNIX
  uint64_t limit;       // the largest message allowed, bytes
  mmsghdr message;      // msg_len: kEmptySlot, or what recvmmsg has read and `in` may not know yet
  iovec buffer;
  // Receipts: bytes [sent, put) are to be sent, and lie in the answer area, which the connection holds while there
  // are any, or open tickets. Position p is at (p - answer_base) mod kAnswerRoom (receipts.h).
  uint64_t send_base;    // where the bytes of the next sendmmsg begin
  uint64_t sent;
  uint64_t put;
  uint64_t answer_base;
  uint64_t answer_area;  // its number + 1; 0: it holds none, and open tickets of it are answered to nobody
  mmsghdr answer;        // msg_len: kEmptySlot, or what sendmmsg has sent and `sent` may not know yet
  iovec answer_parts[2];
  uint32_t uid;          // of its client; common/credentials.h; stored before generation
};
static_assert(offsetof(Connection, binding) == 48 && offsetof(Connection, input) == 80);
static_assert(offsetof(Connection, message) == 96 && offsetof(Connection, send_base) == 176);
static_assert(offsetof(Connection, answer) == 216 && offsetof(Connection, uid) == 312 && sizeof(Connection) == 384);

// What was received and is not decided, whatever step a kill has left undone; read_base + msg_len goes before `in`.
struct ReceivedBytes {
  uint64_t out;
  uint64_t in;
};
inline ReceivedBytes FindReceived(const Connection& connection) {
  const uint32_t unnoted = connection.generation == 0 ? kEmptySlot : connection.message.msg_len;
  return {connection.out, unnoted == kEmptySlot ? connection.in : connection.read_base + unnoted};
}

// ---- receipts: written by intake ----------------------------------------------------------------

inline constexpr int16_t kNoCode = -1;  // what became of the message is not known yet

// Ticket n is in tickets[n % Geometry::tickets]. The slot is free where done == number, or where number is larger
// than `last`: the burst that took it was never decided.
struct Ticket {
  uint64_t number;      // 0: there was none
  int64_t id;           // the client's
  uint64_t generation;  // of the connection that is to be answered
  uint32_t connection;
  int16_t code;         // of a message that was rejected (receipts.h); else kNoCode
  uint16_t reserved;
  uint64_t position;    // ring position after its record
  uint64_t out_end;     // Connection::put once it is answered
  uint64_t answered;    // == number: its answer lies before out_end
  uint64_t done;        // == number: it has been answered, or nobody waits for it
};
static_assert(offsetof(Ticket, connection) == 24 && offsetof(Ticket, position) == 32 && sizeof(Ticket) == 64);

struct Tickets {
  alignas(kLine) uint64_t last;  // the largest number that a decided burst took
  uint64_t reserved[15];
  // Ticket tickets[Geometry::tickets] follow, then the answer areas (receipts.h)
};
static_assert(sizeof(Tickets) == kLine);

// ---- outcomes: written by the kafka worker --------------------------------------------------------

// Of ticket n in outcomes[n % Geometry::tickets]: first where its record is, then what became of it.
struct Outcome {
  uint64_t place_number;  // the ticket's, once its record was drained
  uint64_t order;         // BatchDescriptor::order of its batch; 0: in none
  uint32_t index;         // in that batch
  int32_t partition;      // -1: of none
  int64_t offset;         // -1: not known
  int16_t code;           // receipts.h
  uint16_t reserved[3];
  uint64_t number;        // the ticket's, stored last: what stands before it is said of it
  uint64_t reserved_words[2];
};
static_assert(offsetof(Outcome, index) == 16 && offsetof(Outcome, offset) == 24 && offsetof(Outcome, code) == 32);
static_assert(offsetof(Outcome, number) == 40 && sizeof(Outcome) == 64);

// ---- producer page: written by intake -----------------------------------------------------------

inline constexpr uint32_t kJournalSize = 256;

// A counter by its place: the index of a uint64_t word in the books region of its writer.
struct CounterChange {
  uint64_t counter;
  uint64_t value;  // the new, absolute value: it is set, never added
};

// kConnectionEnd: as kConnection, and it is not read any more.
enum class Source : uint32_t { kNone, kDatagrams, kConnection, kOverflow, kConnectionEnd };

// How a burst was decided without moving `tail`. The word's store is the commit point.
enum Decided : uint64_t { kUndecided = 0, kNothingAppended = 1, kWrittenToOverflow = 2 };

struct Stage {
  uint64_t base;   // `tail` before the burst
  Source source;
  uint32_t index;  // of the connection
  uint32_t first;  // slots [first, end)
  uint32_t end;
  uint64_t out;      // the source's new read position, of a connection or the overflow file
  uint64_t decided;  // Decided
  uint64_t journal_count;
  CounterChange journal[kJournalSize];
  uint64_t overflow_in;  // the overflow file's new end, where the burst was written there
  uint64_t last_ticket;  // Tickets::last once the burst is decided
};
static_assert(offsetof(Stage, source) == 8 && offsetof(Stage, first) == 16);
static_assert(offsetof(Stage, out) == 24 && offsetof(Stage, decided) == 32);
static_assert(offsetof(Stage, journal_count) == 40 && offsetof(Stage, journal) == 48);

struct ProducerPage {
  alignas(kLine) uint64_t tail;
  alignas(kLine) uint64_t room_sleep;  // odd: intake sleeps until there is room (doorbell.h)
  alignas(kLine) Stage stage;
  // What the final drain could not append lies in the file overflow.<lane>, bytes [out, in).
  alignas(kLine) uint64_t overflow_in;
  uint64_t overflow_out;
  alignas(kLine) uint64_t receipt_sleep;  // odd: intake waits for outcomes
};
static_assert(offsetof(ProducerPage, room_sleep) == kLine && offsetof(ProducerPage, stage) == 2 * kLine);

// ---- consumer page: written by the kafka worker --------------------------------------------------

struct DiscardCell {
  uint64_t counter;   // index of a word in the kafka books
  uint64_t value;     // its value once the record is counted
  uint64_t position;  // ring position after the discarded record: the commit point
  uint64_t done;      // == position once the counter is set
  uint64_t ticket;    // of the discarded record, whose outcome is set before `done`; 0: it asked for no receipt
  int64_t code;       // of that outcome
};

struct ConsumerPage {
  alignas(kLine) uint64_t head;
  alignas(kLine) uint64_t data_sleep;  // odd: the kafka worker sleeps until there are records
  alignas(kLine) DiscardCell cell;
};
static_assert(offsetof(ConsumerPage, data_sleep) == kLine && offsetof(ConsumerPage, cell) == 2 * kLine);

// ---- tables: written by the kafka worker ---------------------------------------------------------

inline constexpr uint32_t kProducerIdRoom = 16;

struct ProducerId {
  int64_t id;
  int16_t epoch;
  uint16_t reserved;
  uint32_t cluster_id_size;
  char cluster_id[112];
};
static_assert(sizeof(ProducerId) == kLine);

struct ProducerIds {
  // Of all that there ever were, published after the entry it adds; the last one is in use.
  alignas(kLine) uint64_t count;
  alignas(kLine) ProducerId ids[kProducerIdRoom];  // number n is in ids[n % kProducerIdRoom]
};

// One word: {producer id index:16, epoch:16, next sequence:32}.
struct SequenceWord {
  int32_t next_sequence;
  int16_t epoch;
  uint16_t producer_index;
};
static_assert(sizeof(SequenceWord) == 8);
inline constexpr SequenceWord kNoSequence = {0, -1, UINT16_MAX};  // of no producer id yet

// `topic_id` was reserved before, which needed no new number: zeros are "not known", as of topics without ids. An
// older Dory leaves it as it is, so that what it sends to another log is at worst asked for once more.
struct PartitionRow {
  uint32_t topic_row;
  int32_t partition;
  SequenceWord sequence;
  int64_t acked_offset;  // of its newest acknowledged batch, in the log of the topic below; -1: not known
  int64_t acked_boottime_ns;
  std::byte topic_id[16];  // of the topic when its newest batch was first sent; zeros: not known
  uint64_t reserved[2];
};
static_assert(offsetof(PartitionRow, sequence) == 8 && offsetof(PartitionRow, acked_offset) == 16);
static_assert(offsetof(PartitionRow, topic_id) == 32 && sizeof(PartitionRow) == 64);

struct PartitionRows {
  alignas(kLine) uint64_t count;  // published after the row it adds
  alignas(kLine) PartitionRow rows[kMaxPartitions];
};

// PINNED: as OPEN, but it was sent once, so it keeps its partition and takes no more records.
enum class BatchState : uint8_t { kFree, kOpen, kSent, kAcked, kDiscarded, kPinned };
enum class BatchKind : uint8_t { kAny, kKey, kWaiting };

inline constexpr uint32_t kMaxBatchRecords = (1u << 28) - 1;

// The window [first, first + count) and what is true of it, in one word.
struct BatchWord {
  uint64_t state : 8;
  uint64_t first : 28;
  uint64_t count : 28;
};
static_assert(sizeof(BatchWord) == 8);

// REQUIRES: first and count <= kMaxBatchRecords.
constexpr BatchWord MakeBatchWord(BatchState state, uint64_t first, uint64_t count) {
  return {static_cast<uint8_t>(state), first & kMaxBatchRecords, count & kMaxBatchRecords};
}

struct CommitWord {
  uint64_t bytes : 36;
  uint64_t count : 28;
};
static_assert(sizeof(CommitWord) == 8);

// What holds after the last committed record. Two of them: slot `commit.count & 1` is the valid one.
struct BatchEnd {
  uint64_t position;  // ring position after that record
  int64_t max_timestamp;
  uint32_t crc;  // running crc32c of the batch's record bytes
  uint32_t reserved;
};
static_assert(sizeof(BatchEnd) == 24);

// Batch b begins in block b: as many descriptors as blocks, and one free list for both.
struct alignas(kLine) BatchDescriptor {
  BatchWord word;
  CommitWord commit;
  BatchEnd end[2];
  uint32_t topic_row;
  uint32_t partition_row;  // kNoIndex: none yet
  BatchKind kind;
  uint8_t unknown_outcome;  // 1: an attempt may have been appended; only an acknowledgement clears it
  uint16_t producer_index;
  int16_t epoch;
  uint16_t discard_reason;
  int32_t base_sequence;
  uint32_t attempts;
  uint64_t order;  // grows with every batch of the lane
  int64_t base_timestamp;
  int64_t first_record_boottime_ns;
  int64_t first_sent_boottime_ns;  // 0: never
  uint64_t total_after;            // the counter's value once the window is settled
  int64_t settled_offset;          // of the window's first record in the log; -1: not known
  uint32_t reserved[26];
};
static_assert(offsetof(BatchDescriptor, commit) == 8 && offsetof(BatchDescriptor, end) == 16);
static_assert(offsetof(BatchDescriptor, topic_row) == 64 && offsetof(BatchDescriptor, kind) == 72);
static_assert(offsetof(BatchDescriptor, base_sequence) == 80 && offsetof(BatchDescriptor, order) == 88);
static_assert(offsetof(BatchDescriptor, total_after) == 120 && offsetof(BatchDescriptor, settled_offset) == 128 && sizeof(BatchDescriptor) == 256);

}  // namespace dory::shm
