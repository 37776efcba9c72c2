#include "kafka_worker/produce_results.h"

#include <algorithm>
#include <span>
#include <string_view>

namespace dory::kafka {
namespace {

using protocol::ProducePartitionResult;

// By which a topic is called in a request and its answer: its id where it goes by that, else its name.
std::string_view KeyOf(const protocol::TopicId& id, std::string_view name) {
  if (id == protocol::kNoTopicId) return name;
  return {reinterpret_cast<const char*>(id.data()), id.size()};
}

// The batches of a topic.
struct Group {
  std::string_view key;
  std::span<const SentBatch> batches;
};

std::vector<Group> GroupByKey(std::span<const SentBatch> batches) {
  std::vector<Group> groups;
  while (!batches.empty()) {
    const SentBatch& first = batches.front();
    const auto end = std::find_if(batches.begin(), batches.end(),
                                  [&first](const SentBatch& sent) { return sent.topic != first.topic; });
    const auto count = static_cast<size_t>(end - batches.begin());
    groups.push_back({KeyOf(first.topic_id, first.topic->name), batches.first(count)});
    batches = batches.subspan(count);
  }
  std::ranges::sort(groups, {}, &Group::key);
  return groups;
}

}  // namespace

std::vector<const ProducePartitionResult*> MatchResults(const std::vector<SentBatch>& batches,
                                                        const protocol::ProduceResponse& response) {
  std::vector<const ProducePartitionResult*> results(batches.size(), nullptr);
  const std::vector<Group> groups = GroupByKey(batches);
  for (const protocol::ProduceTopicResult& topic : response.topics) {
    const std::string_view key = KeyOf(topic.id, topic.name);
    const auto group = std::ranges::lower_bound(groups, key, {}, &Group::key);
    if (group == groups.end() || group->key != key) continue;
    for (const ProducePartitionResult& result : topic.partitions) {
      const auto sent = std::ranges::lower_bound(group->batches, result.partition, {}, &SentBatch::partition);
      if (sent == group->batches.end() || sent->partition != result.partition) continue;
      results[static_cast<size_t>(&*sent - batches.data())] = &result;
    }
  }
  return results;
}

}  // namespace dory::kafka
