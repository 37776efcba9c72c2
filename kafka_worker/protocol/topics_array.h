// What requests and responses about partitions have in common: an array of topics by name, in each an array of
// partitions. Read flat, each partition with its topic's name; more than kMostPartitions are refused.

#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kafka_worker/protocol/wire.h"

namespace dory::kafka::protocol {

inline constexpr size_t kLeastTopicBytes = 1 + 1;  // of an element, in any version

template <typename Partition>
struct TopicOf {
  std::string_view name;
  std::vector<Partition> partitions;
};

// put(partition, writer) writes one, with its tagged fields.
template <typename Partition, typename Put>
void PutTopics(const std::vector<TopicOf<Partition>>& topics, Writer* writer, Put put) {
  writer->PutArrayCount(topics.size());
  for (const TopicOf<Partition>& topic : topics) {
    writer->PutString(topic.name);
    writer->PutArrayCount(topic.partitions.size());
    for (const Partition& partition : topic.partitions) put(partition, writer);
    writer->PutNoTags();
  }
}

// read(reader) gives one, with its tagged fields; `Result` has a `topic`, which stays where it was read: an answer
// about 50,000 partitions has its names once.
template <typename Result, typename Read>
std::vector<Result> ReadTopics(Reader* reader, size_t least_partition_bytes, Read read) {
  std::vector<Result> results;
  const size_t topics = reader->ReadArrayCount(kLeastTopicBytes);
  for (size_t t = 0; t < topics && reader->ok(); ++t) {
    const std::string_view topic = reader->ReadString();
    const size_t partitions = reader->ReadArrayCount(least_partition_bytes);
    if (partitions > kMostPartitions - results.size()) reader->Fail();
    for (size_t p = 0; p < partitions && reader->ok(); ++p) {
      results.push_back(read(reader));
      results.back().topic = topic;
    }
    reader->SkipTags();
  }
  return results;
}

// Null where the answer says nothing of that partition.
template <typename Result>
const Result* FindPartition(const std::vector<Result>& results, std::string_view topic, int32_t partition) {
  for (const Result& result : results) {
    if (result.topic == topic && result.partition == partition) return &result;
  }
  return nullptr;
}

}  // namespace dory::kafka::protocol
