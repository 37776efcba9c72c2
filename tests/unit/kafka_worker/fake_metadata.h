// Metadata as a broker reads and answers it, in any version.

#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kafka_worker/protocol/topic_id.h"
#include "kafka_worker/protocol/wire.h"

namespace dory::kafka {

struct FakeTopic {
  std::string name;
  int16_t error_code = 0;
  protocol::TopicId id = protocol::kNoTopicId;
  int32_t partitions = 0;
  int32_t leader = -1;  // of all of them, with leader epoch 0
  int32_t replicas = 0;
  std::set<int32_t> leaderless = {};
};

struct FakeMetadata {
  struct Broker {
    int32_t id;
    std::string host;
    int32_t port;
  };
  std::vector<Broker> brokers;
  std::vector<FakeTopic> topics;
  int32_t throttle_ms = 0;
  int16_t error_code = 0;
  std::string cluster_id = "cluster";  // empty: null
};

struct AskedMetadata {
  std::vector<std::string> topics;
  bool allows_creation = true;  // in all versions that do not say
};

inline AskedMetadata ReadMetadataRequest(int16_t version, protocol::Reader* reader) {
  AskedMetadata asked;
  for (size_t left = reader->ReadArrayCount(2); left > 0; --left) {
    if (version >= 10) (void)reader->ReadRaw(protocol::kNoTopicId.size());
    asked.topics.emplace_back(reader->ReadString());
    reader->SkipTags();
  }
  if (version >= 4) asked.allows_creation = reader->ReadBool();
  return asked;
}

inline void PutFakeTopic(int16_t version, const FakeTopic& topic, protocol::Writer* writer) {
  writer->Put<int16_t>(topic.error_code);
  writer->PutString(topic.name);
  if (version >= 10) writer->PutRaw(topic.id);
  if (version >= 1) writer->PutBool(false);
  writer->PutArrayCount(static_cast<size_t>(topic.partitions));
  for (int32_t partition = 0; partition < topic.partitions; ++partition) {
    writer->Put<int16_t>(0);
    writer->Put<int32_t>(partition);
    writer->Put<int32_t>(topic.leaderless.contains(partition) ? -1 : topic.leader);
    if (version >= 7) writer->Put<int32_t>(0);
    for (int array = 0; array < 2; ++array) {  // the replicas, and those in sync
      writer->PutArrayCount(static_cast<size_t>(topic.replicas));
      for (int32_t replica = 0; replica < topic.replicas; ++replica) writer->Put<int32_t>(replica);
    }
    if (version >= 5) writer->PutArrayCount(0);
    writer->PutNoTags();
  }
  if (version >= 8) writer->Put<int32_t>(0);
  writer->PutNoTags();
}

inline void PutFakeMetadata(int16_t version, const FakeMetadata& metadata, protocol::Writer* writer) {
  if (version >= 3) writer->Put<int32_t>(metadata.throttle_ms);
  writer->PutArrayCount(metadata.brokers.size());
  for (const FakeMetadata::Broker& broker : metadata.brokers) {
    writer->Put<int32_t>(broker.id);
    writer->PutString(broker.host);
    writer->Put<int32_t>(broker.port);
    if (version >= 1) writer->PutNullableString(std::nullopt);
    writer->PutNoTags();
  }
  const bool has_cluster = !metadata.cluster_id.empty();
  if (version >= 2) writer->PutNullableString(has_cluster ? std::optional<std::string_view>(metadata.cluster_id) : std::nullopt);
  if (version >= 1) writer->Put<int32_t>(1);
  writer->PutArrayCount(metadata.topics.size());
  for (const FakeTopic& topic : metadata.topics) PutFakeTopic(version, topic, writer);
  if (version >= 8 && version <= 10) writer->Put<int32_t>(0);
  if (version >= 13) writer->Put<int16_t>(metadata.error_code);
  writer->PutNoTags();
}

}  // namespace dory::kafka
