// The request's half of produce.h.

#include "kafka_worker/protocol/produce.h"

namespace dory::kafka::protocol {

void ProduceEncoder::Begin(const RequestHeader& header, int16_t acks, int32_t timeout_ms,
                           size_t topic_count) {
  buffer_.clear();
  splices_.clear();
  spliced_bytes_ = 0;
  topics_due_ = topic_count;
  partitions_due_ = 0;
  version_ = header.version;
  flexible_ = IsFlexible(Api::kProduce, header.version);
  Writer writer = MakeWriter();
  EncodeRequestHeader(Api::kProduce, header, &writer);
  if (header.version >= 3) writer.PutNullableString(std::nullopt);  // transactional id
  writer.Put<int16_t>(acks);
  writer.Put<int32_t>(timeout_ms);
  writer.PutArrayCount(topic_count);
}

void ProduceEncoder::BeginTopic(std::string_view name, const TopicId& id, size_t partition_count) {
  assert(topics_due_ > 0 && partitions_due_ == 0 && partition_count > 0);
  --topics_due_;
  partitions_due_ = partition_count;
  Writer writer = MakeWriter();
  if (version_ < kFirstProduceById) {
    writer.PutString(name);
  } else {
    writer.PutRaw(id);
  }
  writer.PutArrayCount(partition_count);
}

size_t ProduceEncoder::AddPartition(int32_t partition, const BatchHeader& batch) {
  Writer writer = MakeWriter();
  writer.Put<int32_t>(partition);
  writer.PutByteCount(kBatchHeaderBytes + batch.records_bytes);
  EncodeBatchHeader(writer.Grow(kBatchHeaderBytes), batch);
  return EndPartition(batch.records_bytes);
}

size_t ProduceEncoder::AddWrapper(int32_t partition, const MessageWrapper& wrapper, std::span<const ByteSpan> value) {
  size_t value_bytes = 0;
  for (const ByteSpan span : value) value_bytes += span.size();
  Writer writer = MakeWriter();
  writer.Put<int32_t>(partition);
  const size_t head_bytes = MessageOverhead(wrapper.format);
  writer.PutByteCount(head_bytes + value_bytes);
  EncodeWrapperHead(writer.Grow(head_bytes), wrapper, value);
  return EndPartition(value_bytes);
}

size_t ProduceEncoder::AddWholeBatch(int32_t partition, size_t bytes) {
  Writer writer = MakeWriter();
  writer.Put<int32_t>(partition);
  writer.PutByteCount(bytes);
  return EndPartition(bytes);
}

size_t ProduceEncoder::EndPartition(size_t spliced_bytes) {
  assert(partitions_due_ > 0);
  --partitions_due_;
  const size_t offset = buffer_.size();
  splices_.push_back({offset, spliced_bytes});
  spliced_bytes_ += spliced_bytes;
  Writer writer = MakeWriter();
  writer.PutNoTags();                            // the partition's
  if (partitions_due_ == 0) writer.PutNoTags();  // the topic's
  return offset;
}

size_t ProduceEncoder::Finish() {
  assert(topics_due_ == 0 && partitions_due_ == 0);
  Writer writer = MakeWriter();
  writer.PutNoTags();
  return FinishRequest(0, spliced_bytes_, &writer);
}

}  // namespace dory::kafka::protocol
