#include "kafka_worker/log_lookup.h"

#include <algorithm>
#include <cassert>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/crash_point.h"
#include "common/log.h"
#include "kafka_worker/backoff.h"
#include "kafka_worker/protocol/error_codes.h"
#include "kafka_worker/protocol/fetch.h"
#include "kafka_worker/protocol/list_offsets.h"

namespace dory::kafka {
namespace {

using protocol::Api;
using protocol::ErrorCode;
using protocol::InLog;
using shm::BatchDescriptor;

constexpr int32_t kFetchBytes = 1 << 18;          // many may be asked at a time (answer_input.h)
constexpr int64_t kMostBytes = 64 << 20;          // that are read for one batch
constexpr uint32_t kMostRefusals = 5;             // in a row, of a leader that answers
constexpr int64_t kClockSkewMs = 60 * 60 * 1000;  // of brokers that write their own timestamps

// Whether it can be the batch that was acknowledged at that offset; one without a sequence has no producer.
bool IsAcknowledged(const protocol::LoggedBatch& batch, int64_t offset, const Sought& sought) {
  return batch.base_offset == offset && (batch.producer_id == sought.producer_id || batch.producer_id < 0);
}

bool OffersFetch(const BrokerConnection& connection) {
  return connection.VersionOf(Api::kFetch) && connection.VersionOf(Api::kListOffsets).value_or(0) >= 1;
}

}  // namespace

LogLookup::LogLookup(Memory& memory, TopicTable& topics, Cluster& cluster, OnEnd on_end)
    : memory_(memory),
      topics_(topics),
      cluster_(cluster),
      on_end_(std::move(on_end)),
      random_(std::random_device{}()) {}

bool LogLookup::CanBeAsked(const Partition& partition) {
  const BrokerConnection* connection = partition.leader < 0 ? nullptr : cluster_.Broker(partition.leader);
  return connection == nullptr || !connection->up() || OffersFetch(*connection);
}

void LogLookup::Begin(const Question& question) {
  const SentBatch& sent = question.sent;
  const BatchDescriptor& batch = memory_.pool.descriptor(sent.batch);
  Partition& partition = sent.topic->partitions[static_cast<size_t>(sent.partition)];
  if (!CanBeAsked(partition)) return on_end_(question, Verdict::kUnknown, -1);
  partition.state = Partition::State::kAsking;
  Lookup& lookup = lookups_[{sent.topic->row, sent.partition}];
  assert(!lookup.under_way);
  lookup = {.question = question,
            .sought = {memory_.ProducerOf(batch.producer_index).id, batch.epoch, batch.base_sequence,
                       static_cast<uint32_t>(batch.word.count)}};
  topics_.MarkDirty(*sent.topic);
  DORY_CRASH_POINT("lookup.begun");
}

void LogLookup::GiveUp(const Topic& topic, int32_t partition) {
  const auto found = lookups_.find({topic.row, partition});
  if (found == lookups_.end() || found->second.under_way) return;
  End(found->first, Verdict::kUnknown, -1, "its leader refuses us");
}

// In turn, so that a long one does not keep the connection for itself.
void LogLookup::Dispatch(int64_t now_ms) {
  std::vector<Key> keys;
  for (auto at = lookups_.upper_bound(asked_last_); at != lookups_.end(); ++at) keys.push_back(at->first);
  for (auto at = lookups_.begin(); keys.size() < lookups_.size(); ++at) keys.push_back(at->first);
  for (const Key& key : keys) {
    Lookup& lookup = lookups_.at(key);
    if (!lookup.under_way) AskNext(key, lookup, now_ms);
  }
}

void LogLookup::AskNext(const Key& key, Lookup& lookup, int64_t now_ms) {
  const SentBatch& sent = lookup.question.sent;
  if (lookup.not_before_ms > now_ms) {
    topics_.MarkDirtyAt(*sent.topic, lookup.not_before_ms);
    return;
  }
  if (static_cast<size_t>(sent.partition) >= sent.topic->partition_count) {
    return End(key, Verdict::kUnknown, -1, "its partition is gone");
  }
  const int32_t leader = sent.topic->partitions[static_cast<size_t>(sent.partition)].leader;
  BrokerConnection* connection = leader < 0 ? nullptr : cluster_.SuspectBroker(leader);
  if (connection == nullptr) return;  // new metadata marks the topic dirty
  if (connection->state() == BrokerConnection::State::kDown) {
    topics_.MarkDirtyAt(*sent.topic, std::max(connection->not_before_ms(), now_ms + 1));
  }
  if (!connection->HasRoom() || !cluster_.IsOfThisCluster(*connection)) return;
  asked_last_ = key;
  Ask(key, lookup, *connection);
}

void LogLookup::Ask(const Key& key, Lookup& lookup, BrokerConnection& connection) {
  const SentBatch& sent = lookup.question.sent;
  const std::string_view topic = sent.topic->name;
  const int32_t partition = sent.partition;
  if (!OffersFetch(connection)) {
    return End(key, Verdict::kUnknown, -1, "it offers no Fetch that we speak");
  }
  if (lookup.step == Step::kProducers && !connection.VersionOf(Api::kDescribeProducers)) BeginReading(lookup);
  switch (lookup.step) {
    case Step::kProducers:
      return Exchange(key, Api::kDescribeProducers, connection,
                      protocol::EncodeDescribeProducersRequest(connection.NextHeader(Api::kDescribeProducers),
                                                               {.topics = {{topic, {partition}}}}),
                      protocol::DecodeDescribeProducersResponse, &LogLookup::TakeProducers);
    case Step::kEarliest:
    case Step::kByTime: {
      const int64_t time = lookup.step == Step::kEarliest ? protocol::kEarliestOffset : TimeToBeginAt(lookup);
      return Exchange(key, Api::kListOffsets, connection,
                      protocol::EncodeListOffsetsRequest(connection.NextHeader(Api::kListOffsets),
                                                         {.topics = {{topic, {{partition, time}}}}}),
                      protocol::DecodeListOffsetsResponse, &LogLookup::TakeOffset);
    }
    case Step::kRead:
      return Exchange(key, Api::kFetch, connection,
                      protocol::EncodeFetchRequest(connection.NextHeader(Api::kFetch),
                                                   {.max_bytes = kFetchBytes,
                                                    .topics = {{topic, {{partition, lookup.next_offset, kFetchBytes}}}}}),
                      protocol::DecodeFetchResponse, &LogLookup::TakeRecords);
  }
}

template <typename Response, typename Partition>
void LogLookup::Exchange(const Key& key, Api api, BrokerConnection& connection, protocol::Bytes request,
                         Result<Response> (*decode)(int16_t, ByteSpan), Take<Partition> take) {
  lookups_.at(key).under_way = true;
  const int16_t version = *connection.VersionOf(api);
  const SentBatch& asked = lookups_.at(key).question.sent;
  const int32_t leader = asked.topic->partitions[static_cast<size_t>(asked.partition)].leader;
  connection.Exchange(api, Frame::Of(std::move(request)), [=, this, &connection](const Answer& answer) {
    Lookup& lookup = lookups_.at(key);
    lookup.under_way = false;
    topics_.MarkDirty(*lookup.question.sent.topic);
    if (answer.end != Answer::End::kAnswered) {
      const std::string why = answer.body.status().message();
      const bool is_cause = lookup.unanswered.Note(leader, cluster_.LastAcknowledged(leader));
      if (is_cause) return End(key, Verdict::kUnknown, -1, why);
      return Fail(key, lookup, false, why);
    }
    const Result<Response> response =
        answer.body.ok() ? decode(version, answer.body.value()) : Result<Response>(answer.body.status());
    if (!response.ok()) {
      const Status why = response.status().Context("an answer that can't be parsed");
      Fail(key, lookup, true, why.message());
      return connection.Close(why);
    }
    connection.NoteThrottle(api, version, response.value().throttle_time_ms);
    const SentBatch& sent = lookup.question.sent;
    const Partition* found = protocol::FindPartition(response.value().partitions, sent.topic->name, sent.partition);
    if (found == nullptr) return Fail(key, lookup, true, "an answer that says nothing of it");
    if (IsAnswered(key, lookup, found->error_code)) (this->*take)(key, lookup, *found);
  });
}

// False: it has none of what was asked for, and was dealt with.
bool LogLookup::IsAnswered(const Key& key, Lookup& lookup, int16_t code) {
  DORY_CRASH_POINT("lookup.answer");
  if (code == protocol::error::kNone) return true;
  if (code == protocol::error::kOffsetOutOfRange && lookup.complete) {
    lookup.complete = false;  // it was cut off in front, or behind: an election that lost something
    lookup.begins_at_ours = false;
    lookup.step = Step::kEarliest;
    return false;
  }
  const ErrorCode& error = protocol::FindErrorCode(code);
  if (error.action == protocol::Action::kServerError || error.action == protocol::Action::kRenegotiate) {
    Fail(key, lookup, true, error.name);
  } else if (error.in_log == InLog::kUnknown) {
    Fail(key, lookup, false, error.name);
  } else if (lookup.step == Step::kProducers) {
    BeginReading(lookup);
  } else {
    End(key, Verdict::kUnknown, -1, error.name);
  }
  return false;
}

void LogLookup::TakeProducers(const Key& key, Lookup& lookup, const protocol::PartitionProducers& found) {
  const Remembered remembered = JudgeProducers(found.producers, lookup.sought);
  if (remembered == Remembered::kNothing) {
    BeginReading(lookup);
  } else if (lookup.question.before_resend) {
    End(key, Verdict::kRemembered, -1, "the leader remembers our sequence");
  } else if (remembered == Remembered::kBefore) {
    End(key, Verdict::kAbsent, -1, "the leader's last batch of us is the one before");
  } else {
    BeginReading(lookup);
  }
}

// From the last batch of ours that was acknowledged there; none: from a time on.
void LogLookup::BeginReading(Lookup& lookup) {
  const BatchDescriptor& batch = memory_.pool.descriptor(lookup.question.sent.batch);
  const shm::PartitionRow& row = memory_.partitions->rows[batch.partition_row];
  lookup.next_offset = IsLogNew(row, lookup.question.sent.topic->id) ? -1 : shm::Load(row.acked_offset);
  lookup.begins_at_ours = lookup.next_offset >= 0;
  lookup.step = lookup.begins_at_ours ? Step::kRead : Step::kEarliest;
}

// No record of the batch is older in the log, where records have our timestamps or the broker's.
int64_t LogLookup::TimeToBeginAt(const Lookup& lookup) const {
  const BatchId id = lookup.question.sent.batch;
  const int64_t sent_ms_ago = (BoottimeNs() - memory_.pool.descriptor(id).first_sent_boottime_ns) / 1'000'000;
  const int64_t time = std::min(memory_.pool.End(id).max_timestamp, WallClockMs() - sent_ms_ago - kClockSkewMs);
  return std::max<int64_t>(time, 0);
}

void LogLookup::TakeOffset(const Key& key, Lookup& lookup, const protocol::PartitionOffset& found) {
  if (lookup.step == Step::kEarliest) {
    lookup.complete = lookup.complete && found.offset == 0;
    lookup.next_offset = found.offset;
    lookup.step = Step::kByTime;
  } else if (found.offset < 0) {
    EndAbsent(key, lookup, "nothing in the log is so new");
  } else {
    lookup.next_offset = std::max(lookup.next_offset, found.offset);
    lookup.step = Step::kRead;
  }
}

void LogLookup::TakeRecords(const Key& key, Lookup& lookup, const protocol::FetchedPartition& found) {
  lookup.failures = lookup.refusals = 0;
  lookup.unanswered = {};
  lookup.complete = lookup.complete && found.log_start_offset <= lookup.next_offset;
  if (lookup.end_offset < 0) lookup.end_offset = found.high_watermark;
  lookup.bytes += static_cast<int64_t>(found.records.size());
  const int64_t begun_at = lookup.next_offset;
  ByteSpan rest = found.records;
  while (const auto batch = protocol::PeekBatch(rest)) {
    if (std::exchange(lookup.begins_at_ours, false)) lookup.complete &= IsAcknowledged(*batch, begun_at, lookup.sought);
    const bool found_it = IsSought(*batch, lookup.sought) && !DORY_IS_MUTANT("the log is not believed");
    if (found_it) return End(key, Verdict::kInLog, batch->base_offset, "it is in the log");
    lookup.next_offset = std::max(lookup.next_offset, batch->last_offset + 1);
    rest = rest.subspan(batch->size);
  }
  if (lookup.next_offset >= lookup.end_offset) {
    lookup.complete &= !lookup.begins_at_ours;  // nor is the one that was acknowledged
    return EndAbsent(key, lookup, "it is not in the log");
  }
  if (lookup.next_offset == begun_at) return Fail(key, lookup, true, "records that make no sense");
  if (lookup.bytes > kMostBytes) return End(key, Verdict::kUnknown, -1, "too much was written since");
}

// Where the log begins behind where the batch may have been it is not sure.
void LogLookup::EndAbsent(const Key& key, const Lookup& lookup, std::string_view why) {
  if (DORY_IS_MUTANT("absent is taken for there")) return End(key, Verdict::kInLog, -1, why);
  if (lookup.complete) return End(key, Verdict::kAbsent, -1, why);
  End(key, Verdict::kUnknown, -1, "the log is cut off where it may have been");
}

void LogLookup::Fail(const Key& key, Lookup& lookup, bool answered, std::string_view why) {
  ++lookup.failures;
  lookup.refusals += answered ? 1 : 0;
  if (lookup.refusals >= kMostRefusals) return End(key, Verdict::kUnknown, -1, why);
  const SentBatch& sent = lookup.question.sent;
  if (lookup.failures == 1) LogWarning("{}/{}: asking for a batch: {}", sent.topic->name, sent.partition, why);
  cluster_.RefreshMetadata();
  lookup.step = Step::kProducers;
  lookup.complete = true;
  lookup.bytes = 0;
  lookup.end_offset = -1;
  lookup.not_before_ms = MonotonicMs() + ChooseDelayMs(kPartitionBackoff, lookup.failures, random_());
  topics_.MarkDirtyAt(*sent.topic, lookup.not_before_ms);
}

void LogLookup::End(const Key& key, Verdict verdict, int64_t offset, std::string_view why) {
  const auto found = lookups_.find(key);
  const Question question = found->second.question;
  lookups_.erase(found);
  DORY_CRASH_POINT("lookup.end");
  const BatchDescriptor& batch = memory_.pool.descriptor(question.sent.batch);
  LogWarning("{}/{}: {}; asked for sequence {} of epoch {}: {}", question.sent.topic->name, question.sent.partition,
             question.why, batch.base_sequence, batch.epoch, why);
  on_end_(question, verdict, offset);
}

}  // namespace dory::kafka
