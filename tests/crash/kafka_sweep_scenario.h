// What the kafka worker's sweep has to do, and what goes wrong on the brokers' side.

#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shm/layout.h"

namespace dory::kafka {

inline constexpr size_t kSweepTopics = 3;
inline constexpr size_t kMostPartitions = 8;
inline constexpr size_t kMostMessages = 128;
inline constexpr uint32_t kNever = UINT32_MAX;
inline constexpr int16_t kUnknownTopicOrPartition = 3;
inline constexpr int16_t kRequestTimedOut = 7;

enum class Fate : uint8_t {
  kLogged,
  kDamaged,  // its record in the ring does not hold
  kHuge,     // brokers take it in no batch
  kRefused,  // brokers find fault with it
  kFatal,    // brokers answer UNKNOWN_SERVER_ERROR
  kCutOff,   // brokers cut the connection
};

// A message's number is its place in the script; its value begins with it.
struct ScriptMessage {
  uint32_t topic;
  bool keyed;
  uint32_t key;
  size_t padding;
  Fate fate = Fate::kLogged;
};

enum class FaultKind : uint8_t {
  kAnswers,      // with `code`
  kCuts,         // the connection, instead of answering
  kSaysNothing,  // until the worker's deadline
  kGarbles,      // the answer
  kMovesLeader,  // to the other broker, and answers NOT_LEADER_OR_FOLLOWER
  kForgets,      // the partition's producers, and then judges
  kMovesCluster,  // all connections are cut, and from then on it is another cluster
  kRefuses,  // all connections are cut, and so many (`code`) attempts to authenticate are refused
  kCutsAndForgets,  // the connection, and the partition's producers when what is late has come
  kRecreates,     // its topic, with fewer partitions: whatever was there is forgotten
};

// Whether a broker can be asked what is in its logs.
enum class Look : uint8_t {
  kNone,
  kReads,      // Fetch and ListOffsets: Kafka before 2.8
  kDescribes,  // and whose state it has
};

// What becomes of the n-th batch, counted from 1, that comes for a partition.
struct Fault {
  size_t topic;
  size_t partition;
  uint32_t batch;
  FaultKind kind;
  bool appends = false;  // before that
  int16_t code = 0;
};

// What becomes of a request that was written before the kill and not read.
enum class Late : uint8_t { kLost, kAtDeath, kBehindNext };

// What a wild write hits in the pool, once.
enum class Damage : uint8_t {
  kNone,
  kOpen,     // a batch that takes records
  kWindow,   // one of which only a part is sent
  kWaiting,  // a message of a topic that is not known yet
  kWaitingHeader,
};

// When messages come.
enum class Pace : uint8_t {
  kBursts,   // four with each look of the worker, where there is room
  kSettled,  // four when all before are settled
  kSingly,   // one with each look, once the first is settled
  kSlowly,   // one each half second
};

struct Scenario {
  std::string name;
  std::vector<ScriptMessage> messages;
  Pace pace = Pace::kBursts;
  std::array<size_t, kSweepTopics> partitions = {2, 1, 1};
  size_t partitions_anew = 0;      // of a topic that is created anew
  std::array<uint32_t, kSweepTopics> known_after = {0, 0, 0};  // so many requests for metadata
  std::vector<Fault> faults = {};
  size_t most_records = SIZE_MAX;  // a batch
  bool names_refused = true;       // else their batch is refused without a name
  bool old_brokers = false;        // no InitProducerId 3, and they forget producers
  // Of each broker the newest Produce. Below 3: message sets, and no producer ids; 0: no ApiVersions either.
  std::array<int16_t, 2> produce = {8, 8};
  Look look = Look::kNone;
  int16_t look_code = 0;           // what brokers answer to it instead
  bool wants_sasl = false;
  uint32_t refuses_at_first = 0;   // attempts to authenticate
  bool ambiguous = false;          // doubles may be, and are counted as possible
  bool unsure = false;             // what may be in the log is discarded, as ambiguous
  bool gives_up = false;           // topic 2 is never known, and its messages are discarded
  bool discards_by_answer = false;
  std::optional<shm::Discard> discards_unsent = {};  // why what was never sent may be discarded
  Damage damage = Damage::kNone;
  unsigned long stride = 1;        // of the first kills so many are tried in a run that is to be short
  uint64_t ring_size = 64 * 1024;
  uint32_t free_blocks = 32;       // of the pool, beside its reserve
  int32_t first_sequence = 0;
  int16_t first_epoch = 0;
  int64_t timestamp_ms = 1'700'000'000'000;  // of messages, about; clocks begin at 1'000'000
  std::string options = {};        // of topics
  std::string kafka_options = {};
  Late late = Late::kLost;
};

// As Kafka 2.8 and newer, of topics.
inline bool TellsIds(const Scenario& scenario) { return scenario.partitions_anew > 0; }

// Of a producer that they have no state of, as Kafka 2.5 and newer.
inline bool TakesAnySequence(const Scenario& scenario) {
  return (scenario.look != Look::kNone || TellsIds(scenario)) && !scenario.old_brokers;
}

}  // namespace dory::kafka
