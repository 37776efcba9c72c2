// A part of kafka_worker.h: what metadata says of topics, and what is believed of it.
//
// What it lacks of a topic is asked for again, of that topic alone: soon while messages wait for it, else now and then.

#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "common/log.h"
#include "kafka_worker/kafka_worker.h"
#include "kafka_worker/protocol/error_codes.h"

namespace dory::kafka {
namespace {

constexpr int64_t kPatientMs = 10'000;  // until brokers are asked again for a topic that nothing waits for

}  // namespace

void KafkaWorker::OnMetadata(const protocol::MetadataResponse& metadata) {
  const int64_t now_ms = MonotonicMs();
  for (const protocol::MetadataTopic& found : metadata.topics) {
    Topic* topic = topics_.FindByName(found.name);
    if (topic != nullptr) AdoptTopic(*topic, found, now_ms);
  }
}

std::vector<std::string> KafkaWorker::ListTopics(bool (*which)(const Topic&)) const {
  std::vector<std::string> names;
  for (const auto& topic : topics_.topics()) {
    if (which(*topic)) names.push_back(topic->name);
  }
  return names;
}

std::set<int32_t> KafkaWorker::ListLeaders() const {
  std::set<int32_t> leaders;
  for (const auto& topic : topics_.topics()) {
    for (const Partition& partition : topic->partitions) leaders.insert(partition.leader);
  }
  return leaders;
}

// Whatever has the same name there is another topic.
void KafkaWorker::OnOtherCluster() {
  const int64_t now_ms = MonotonicMs();
  for (const auto& topic : topics_.topics()) {
    topic->known_id = protocol::kNoTopicId;
    topic->another = true;
    for (Partition& partition : topic->partitions) SetLeader(partition, -1, -1, now_ms);
    topics_.MarkDirty(*topic);
  }
}

void KafkaWorker::AdoptTopic(Topic& topic, const protocol::MetadataTopic& found, int64_t now_ms) {
  topics_.MarkDirty(topic);
  topic.unresolved = true;
  const bool unauthorized = found.error_code == protocol::error::kTopicAuthorizationFailed;
  const bool unknown = found.error_code == protocol::error::kUnknownTopicOrPartition ||
                       found.error_code == protocol::error::kInvalidTopic;
  NoteMissing(topic, unknown, {&topic.unknown, topic.config.unknown_topic_deadline_ms,
                               shm::Discard::kUnknownTopic, "brokers do not know it"}, now_ms);
  NoteMissing(topic, unauthorized, {&topic.unauthorized, topic.config.authorization_deadline_ms,
                                    shm::Discard::kNotAuthorized, "brokers do not authorize us for it"}, now_ms);
  NoteMetadataError(topic, unknown || unauthorized ? protocol::error::kNone : found.error_code);
  if (unknown) {
    for (Partition& partition : topic.partitions) SetLeader(partition, -1, -1, now_ms);
  }
  int32_t highest = -1;
  for (const protocol::MetadataPartition& partition : found.partitions) highest = std::max(highest, partition.partition);
  if (highest < 0 || unknown || unauthorized) {
    cluster_.RefreshUnresolved(IsWaitedFor(topic) ? 0 : kPatientMs);  // it is being created, or its leader elected
    return;
  }
  topic.given_up.reset();
  if (IsOfFormerTopic(topic, found.id, now_ms)) return cluster_.RefreshUnresolved(0);
  AdoptCount(topic, static_cast<size_t>(highest) + 1, AdoptId(topic, found.id, now_ms), now_ms);
  bool leaderless = false;
  for (const protocol::MetadataPartition& told : found.partitions) {
    if (told.partition < 0 || static_cast<size_t>(told.partition) >= topic.partitions.size()) continue;
    Partition& partition = topic.partitions[static_cast<size_t>(told.partition)];
    leaderless |= told.leader < 0 || !cluster_.Knows(told.leader);
    if (!IsBehind(partition, told.leader_epoch, now_ms)) {
      SetLeader(partition, told.leader, told.leader_epoch, now_ms);
    }
  }
  topic.unresolved = leaderless || topic.too_many || topic.fewer_since_ms > 0;
  if (leaderless) cluster_.RefreshUnresolved(0);
}

bool KafkaWorker::IsWaitedFor(Topic& topic) {
  const bool holds_any = !topic.waiting.empty() || !topic.any.empty() || !TopicTable::ListBusy(topic).empty();
  return holds_any && !topic.given_up;
}

// Such as a replication factor that brokers can't give to a topic that they create. What is known of it holds.
void KafkaWorker::NoteMetadataError(Topic& topic, int16_t code) {
  const int16_t error = code == protocol::error::kLeaderNotAvailable ? protocol::error::kNone : code;
  if (error != protocol::error::kNone && error != topic.metadata_error) {
    LogWarning("topic {}: brokers answer {} ({}) to who asks for it; its messages wait", topic.name,
               protocol::FindErrorCode(error).name, error);
  }
  topic.metadata_error = error;
}

// Whether a broker has not heard yet that the topic was deleted and created anew. It is believed in the end.
bool KafkaWorker::IsOfFormerTopic(const Topic& topic, const protocol::TopicId& id, int64_t now_ms) {
  return id != protocol::kNoTopicId && id == topic.former_id && now_ms - topic.known_id_since_ms < kBehindMs;
}

// A broker that is older than ids says none: what is sent meanwhile goes by the name.
// True: it is another topic than it was.
bool KafkaWorker::AdoptId(Topic& topic, const protocol::TopicId& id, int64_t now_ms) {
  topic.id = id;
  const bool another = std::exchange(topic.another, false);
  if (id == protocol::kNoTopicId) return another;
  const protocol::TopicId before = std::exchange(topic.known_id, id);
  if (before == protocol::kNoTopicId || before == id) return another;
  topic.former_id = before;
  topic.known_id_since_ms = now_ms;
  LogWarning("topic {}: deleted and created anew, its id was {} and is {}", topic.name,
             protocol::ShowTopicId(before), protocol::ShowTopicId(id));
  for (Partition& partition : topic.partitions) SetLeader(partition, -1, -1, now_ms);  // it may have fewer now
  return true;
}

// Kafka takes no partitions away from a topic that lives: one that has fewer was created anew, or the broker is
// behind others, which have given it some. Without an id that says so it is believed in the end.
void KafkaWorker::AdoptCount(Topic& topic, size_t count, bool anew, int64_t now_ms) {
  for (size_t i = count; i < topic.partition_count && !anew; ++i) {
    const uint32_t row = topic.partitions[i].row;
    anew = row != shm::kNoIndex && IsLogNew(memory_.partitions->rows[row], topic.id);
  }
  if (count >= topic.partition_count) topic.fewer_since_ms = 0;
  if (count < topic.partition_count && !anew) {
    if (topic.fewer_since_ms == 0) topic.fewer_since_ms = now_ms;
    if (now_ms - topic.fewer_since_ms < kBehindMs) return cluster_.RefreshUnresolved(0);
  }
  if (count < topic.partition_count) {
    LogWarning("topic {}: has {} partitions, and had {}: what waits for those that are gone goes to others",
               topic.name, count, topic.partition_count);
  }
  topic.fewer_since_ms = 0;
  if (!topics_.SetPartitionCount(topic, count)) {
    if (!std::exchange(topic.too_many, true)) LogWarning("{}", DescribeTooMany(topic));
    return cluster_.RefreshUnresolved(kPatientMs);
  }
  topic.too_many = false;
  topic.known = true;
}

// The deadline runs only while a broker answers so, never while none answers.
void KafkaWorker::NoteMissing(Topic& topic, bool missing, const Missing& how, int64_t now_ms) {
  if (!missing) {
    *how.complaint = {};
    return;
  }
  if (!how.complaint->Stands()) LogWarning("topic {}: {}; its messages wait", topic.name, how.why);
  how.complaint->Note(now_ms);
  if (how.deadline_ms > 0 && !topic.known && !topic.given_up && how.complaint->HasLasted(how.deadline_ms)) {
    topic.given_up = how.reason;
    LogError("topic {}: {}, for {} ms; its messages are discarded", topic.name, how.why, how.deadline_ms);
  }
}

}  // namespace dory::kafka
