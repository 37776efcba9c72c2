#include "kafka_worker/protocol/describe_producers.h"

namespace dory::kafka::protocol {
namespace {

constexpr Api kApi = Api::kDescribeProducers;
constexpr size_t kLeastPartitionBytes = 4 + 2 + 1 + 1 + 1;
constexpr size_t kLeastProducerBytes = 8 + 4 + 4 + 8 + 4 + 8 + 1;

ProducerState DecodeProducer(Reader* reader) {
  ProducerState state;
  state.producer_id = reader->Read<int64_t>();
  state.producer_epoch = reader->Read<int32_t>();
  state.last_sequence = reader->Read<int32_t>();
  state.last_timestamp = reader->Read<int64_t>();
  reader->Read<int32_t>();  // coordinator epoch
  reader->Read<int64_t>();  // where its transaction began
  reader->SkipTags();
  return state;
}

PartitionProducers DecodePartition(Reader* reader) {
  PartitionProducers partition;
  partition.partition = reader->Read<int32_t>();
  partition.error_code = reader->Read<int16_t>();
  reader->ReadNullableString();  // what the error means
  const size_t count = reader->ReadArrayCount(kLeastProducerBytes);
  partition.producers.reserve(count);
  for (size_t i = 0; i < count && reader->ok(); ++i) partition.producers.push_back(DecodeProducer(reader));
  reader->SkipTags();
  return partition;
}

}  // namespace

Bytes EncodeDescribeProducersRequest(const RequestHeader& header, const DescribeProducersRequest& request) {
  Bytes out;
  Writer writer(&out, IsFlexible(kApi, header.version));
  EncodeRequestHeader(kApi, header, &writer);
  PutTopics(request.topics, &writer, [](int32_t partition, Writer* to) { to->Put<int32_t>(partition); });
  writer.PutNoTags();
  FinishRequest(0, 0, &writer);
  return out;
}

Result<DescribeProducersResponse> DecodeDescribeProducersResponse(int16_t version, ByteSpan body) {
  Reader reader(body, IsFlexible(kApi, version));
  DescribeProducersResponse response;
  response.throttle_time_ms = reader.Read<int32_t>();
  response.partitions = ReadTopics<PartitionProducers>(&reader, kLeastPartitionBytes, DecodePartition);
  reader.SkipTags();
  const Status status = reader.Finish("DescribeProducers response", version);
  if (!status.ok()) return status;
  return response;
}

}  // namespace dory::kafka::protocol
