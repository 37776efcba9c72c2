// The kafka worker's scripts.

#pragma once

#include <initializer_list>
#include <vector>

#include "tests/crash/kafka_sweep_scenario.h"

namespace dory::kafka {

using Messages = std::vector<ScriptMessage>;

// Both kinds, of so many topics, by turns.
inline Messages Mix(size_t count, uint32_t topics, size_t most_padding = 60, size_t least_padding = 0) {
  Messages messages;
  for (size_t i = 0; i < count; ++i) {
    const auto number = static_cast<uint32_t>(i);
    messages.push_back({.topic = number / 2 % topics, .keyed = i % 3 == 1, .key = number, .padding = least_padding + i * 37 % most_padding});
  }
  return messages;
}

inline Messages With(Messages messages, Fate fate, std::initializer_list<size_t> numbers) {
  for (const size_t number : numbers) messages.at(number).fate = fate;
  return messages;
}

inline constexpr int16_t kRequestTimedOut = 7;
inline constexpr int16_t kNotEnoughReplicas = 19;
inline constexpr int16_t kAppendedWithFewReplicas = 20;
inline constexpr int16_t kNotAuthorized = 29;
inline constexpr int16_t kInvalidRequest = 42;
inline constexpr int16_t kOutOfOrder = 45;
inline constexpr int16_t kInvalidEpoch = 47;

// Of messages, and how long brokers know a repetition: each re-send of an unknown outcome asks first.
inline constexpr int64_t kLongAgoMs = 900'000;
inline constexpr const char* kSoonForgotten = "producer_id_expiration = 100s\n";

inline const std::vector<Scenario> kScenarios = {
    {.name = "two topics", .messages = Mix(18, 2), .options = "batch_time = 20ms\n"},
    {.name = "sent at once", .messages = Mix(18, 2), .pace = Pace::kSingly, .options = "batching = off\n"},
    {.name = "waiting, corrupt, laps",
     .messages = With(Mix(24, 3, 400), Fate::kDamaged, {3, 4, 17}),
     .known_after = {2, 3, kNever},
     .gives_up = true,
     .ring_size = 2048,
     .options = "batch_time = 20ms\nunknown_topic_deadline = 3s\n"},
    {.name = "given up",
     .messages = Mix(16, 3),
     .pace = Pace::kSettled,
     .known_after = {0, 0, kNever},
     .gives_up = true,
     .options = "batch_time = 20ms\nunknown_topic_deadline = 1s\n"},
    {.name = "halved and refused by name",
     .messages = With(With(Mix(16, 1, 60, 1800), Fate::kHuge, {2, 9}), Fate::kRefused, {5, 6, 12}),
     .most_records = 3,
     .options = "batch_time = 20ms\n"},
    {.name = "refused without a name",
     .messages = With(Mix(10, 1), Fate::kRefused, {0, 7}),
     .names_refused = false,
     .options = "batch_time = 20ms\n"},
    {.name = "leaders, cuts and silence",
     .messages = Mix(20, 2),
     .faults = {{0, 0, 1, FaultKind::kMovesLeader, true},
                {0, 0, 3, FaultKind::kCuts, true},
                {0, 1, 1, FaultKind::kSaysNothing, true},
                {0, 1, 2, FaultKind::kMovesLeader},
                {1, 0, 1, FaultKind::kAnswers, false, kNotEnoughReplicas},
                {1, 0, 2, FaultKind::kAnswers, true, kRequestTimedOut},
                {1, 0, 3, FaultKind::kGarbles, true},
                {1, 0, 4, FaultKind::kAnswers, true, kAppendedWithFewReplicas}},
     .options = "batch_time = 20ms\n"},
    {.name = "server errors",
     .messages = With(Mix(10, 1), Fate::kFatal, {4, 7}),
     .options = "batch_time = 20ms\nserver_error_deadline = 1s\n"},
    {.name = "cut off alone",
     .messages = With(Mix(22, 2), Fate::kCutOff, {2}),
     .pace = Pace::kSlowly,
     .options = "batch_time = 20ms\n"},
    {.name = "sequences",
     .messages = Mix(16, 1),
     .pace = Pace::kSettled,
     .faults = {{0, 1, 1, FaultKind::kAnswers, false, kOutOfOrder}, {0, 1, 2, FaultKind::kAnswers, false, kInvalidEpoch}},
     .ambiguous = true,
     .first_sequence = INT32_MAX - 1,
     .first_epoch = 4,
     .options = "batch_time = 20ms\nbatch_messages = 3\n"},
    {.name = "epochs are used up",
     .messages = Mix(12, 1),
     .first_sequence = INT32_MAX - 1,
     .first_epoch = INT16_MAX,
     .options = "batch_time = 20ms\nbatch_messages = 3\n"},
    {.name = "forgotten producers",
     .messages = Mix(16, 1),
     .pace = Pace::kSettled,
     .faults = {{0, 0, 2, FaultKind::kForgets}, {0, 1, 2, FaultKind::kForgets}},
     .old_brokers = true,
     .ambiguous = true,
     .options = "batch_time = 20ms\nbatch_messages = 2\n"},
    {.name = "full pool",
     .messages = Mix(24, 1, 1200),
     .partitions = {8, 1, 1},
     .ring_size = 8192,
     .free_blocks = 4,
     .options = "batch_time = 20ms\n"},
    {.name = "wild write, odd answer",
     .messages = Mix(16, 1),
     .pace = Pace::kSettled,
     .faults = {{0, 1, 2, FaultKind::kAnswers, false, kInvalidRequest}},
     .ambiguous = true,
     .discards_by_answer = true,
     .damage = Damage::kOpen,
     .options = "batch_time = 20ms\n"},
    {.name = "wild write behind a halving",
     .messages = Mix(16, 1),
     .most_records = 3,
     .damage = Damage::kWindow,
     .options = "batch_time = 20ms\n"},
    {.name = "wild write, waiting",
     .messages = Mix(12, 2),
     .known_after = {2, 2, 0},
     .damage = Damage::kWaiting,
     .options = "batch_time = 20ms\n"},
    {.name = "wild write, header of a waiting one",
     .messages = Mix(12, 2),
     .known_after = {2, 2, 0},
     .damage = Damage::kWaitingHeader,
     .options = "batch_time = 20ms\n"},
    {.name = "brokers of 0.10",
     .messages = Mix(12, 2),
     .faults = {{0, 0, 1, FaultKind::kCuts, true},
                {0, 1, 1, FaultKind::kAnswers, true, kRequestTimedOut},
                {1, 0, 1, FaultKind::kAnswers, false, kNotEnoughReplicas}},
     .produce = {2, 2},
     .ambiguous = true,
     .options = "batch_time = 20ms\n"},
    {.name = "brokers of 0.8",
     .messages = With(Mix(10, 1), Fate::kRefused, {5}),
     .faults = {{0, 0, 1, FaultKind::kMovesLeader, true}},
     .names_refused = false,
     .produce = {0, 0},
     .ambiguous = true,
     .options = "batch_time = 20ms\n"},
    {.name = "a leader that is older than the last",
     .messages = Mix(12, 1),
     .faults = {{0, 0, 1, FaultKind::kMovesLeader, true}, {0, 1, 1, FaultKind::kMovesLeader}},
     .produce = {8, 2},
     .ambiguous = true,
     .options = "batch_time = 20ms\n"},
    {.name = "another cluster",
     .messages = Mix(14, 1),
     .pace = Pace::kSettled,
     .faults = {{0, 0, 2, FaultKind::kMovesCluster, true}},
     .ambiguous = true,
     .options = "batch_time = 20ms\nbatch_messages = 2\n"},
    {.name = "asked, known or forgotten",
     .messages = Mix(12, 1),
     .pace = Pace::kSettled,
     .faults = {{0, 0, 1, FaultKind::kCutsAndForgets, true},
                {0, 1, 1, FaultKind::kCutsAndForgets},
                {0, 0, 2, FaultKind::kCuts, true},
                {0, 1, 3, FaultKind::kCutsAndForgets, true}},
     .look = Look::kDescribes,
     .timestamp_ms = kLongAgoMs,
     .options = "batch_time = 20ms\n",
     .kafka_options = kSoonForgotten},
    {.name = "asked by reading alone",
     .messages = Mix(12, 1),
     .pace = Pace::kSettled,
     .faults = {{0, 0, 1, FaultKind::kMovesLeader, true},
                {0, 0, 2, FaultKind::kCutsAndForgets},
                {0, 1, 1, FaultKind::kCutsAndForgets, true},
                {0, 1, 2, FaultKind::kCutsAndForgets, true}},
     .look = Look::kReads,
     .timestamp_ms = kLongAgoMs,
     .options = "batch_time = 20ms\n",
     .kafka_options = kSoonForgotten},
    {.name = "asked in vain, sent again",
     .messages = Mix(12, 1),
     .pace = Pace::kSettled,
     .faults = {{0, 0, 1, FaultKind::kCutsAndForgets, true},
                {0, 1, 1, FaultKind::kCutsAndForgets},
                {0, 0, 3, FaultKind::kCuts, true}},
     .look = Look::kReads,
     .look_code = kNotAuthorized,
     .ambiguous = true,
     .timestamp_ms = kLongAgoMs,
     .options = "batch_time = 20ms\n",
     .kafka_options = kSoonForgotten},
    {.name = "asked in vain, discarded",
     .messages = Mix(12, 1),
     .pace = Pace::kSettled,
     .faults = {{0, 0, 1, FaultKind::kCuts, true},
                {0, 1, 1, FaultKind::kCutsAndForgets},
                {0, 1, 2, FaultKind::kCutsAndForgets, true}},
     .look = Look::kReads,
     .look_code = kNotAuthorized,
     .unsure = true,
     .timestamp_ms = kLongAgoMs,
     .options = "batch_time = 20ms\non_ambiguous = at_most_once\n",
     .kafka_options = kSoonForgotten},
    {.name = "asked after an answer",
     .messages = Mix(12, 1),
     .pace = Pace::kSettled,
     .faults = {{0, 0, 1, FaultKind::kCuts, true},
                {0, 0, 2, FaultKind::kAnswers, false, kInvalidEpoch},
                {0, 1, 1, FaultKind::kCuts},
                {0, 1, 2, FaultKind::kAnswers, false, kOutOfOrder}},
     .old_brokers = true,
     .look = Look::kReads,
     .options = "batch_time = 20ms\n"},
};

}  // namespace dory::kafka
