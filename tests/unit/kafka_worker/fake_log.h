// What a FakeBroker says of its logs: where they begin, what stands in them, and whose state it keeps.

#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/crc32c.h"
#include "kafka_worker/protocol/batch.h"
#include "kafka_worker/protocol/wire.h"
#include "tests/unit/kafka_worker/seen_batch.h"

namespace dory::kafka {

struct LogEntry {
  int64_t base_offset;
  int64_t producer_id;
  int16_t epoch;
  int32_t sequence;
  int32_t count;
};

class FakeLog {
 public:
  int64_t start = 0;             // of all partitions; what is before was deleted
  int16_t code = 0;              // what it answers instead
  size_t most_batches = SIZE_MAX;  // in one answer
  size_t asked = 0;              // how often
  std::map<int32_t, std::vector<LogEntry>> entries;  // by partition

  void Append(int32_t partition, int64_t producer_id, int16_t epoch, int32_t sequence, size_t count) {
    entries[partition].push_back({End(partition), producer_id, epoch, sequence, static_cast<int32_t>(count)});
  }

  int64_t End(int32_t partition) const {
    const auto found = entries.find(partition);
    if (found == entries.end() || found->second.empty()) return start;
    return found->second.back().base_offset + found->second.back().count;
  }

  // Where the batch stands; not there: where the next one will.
  int64_t OffsetOf(int32_t partition, const SeenBatch& batch) {
    const std::vector<LogEntry>& all = entries[partition];
    const auto found = std::find_if(all.rbegin(), all.rend(), [&](const LogEntry& entry) {
      return entry.producer_id == batch.producer_id && entry.epoch == batch.epoch && entry.sequence == batch.sequence;
    });
    return found == all.rend() ? End(partition) : found->base_offset;
  }

  // Each of one partition. REQUIRES: versions that are not flexible: ListOffsets 5, Fetch 11.
  void PutOffset(protocol::Reader* reader, protocol::Writer* writer) {
    ++asked;
    (void)reader->ReadRaw(4 + 1 + 4);  // replica, isolation, one topic
    const std::string topic(reader->ReadString());
    (void)reader->ReadRaw(4);
    const auto partition = reader->Read<int32_t>();
    (void)reader->Read<int32_t>();
    const auto time = reader->Read<int64_t>();
    writer->Put<int32_t>(0);
    PutOnePartition(topic, partition, writer);
    writer->Put<int16_t>(code);
    writer->Put<int64_t>(-1);
    writer->Put<int64_t>(time == -2 || End(partition) > start ? start : -1);
    writer->Put<int32_t>(-1);
  }

  void PutRecords(protocol::Reader* reader, protocol::Writer* writer) {
    ++asked;
    (void)reader->ReadRaw(4 + 4 + 4 + 4 + 1 + 4 + 4 + 4);
    const std::string topic(reader->ReadString());
    (void)reader->ReadRaw(4);
    const auto partition = reader->Read<int32_t>();
    (void)reader->Read<int32_t>();
    const auto offset = reader->Read<int64_t>();
    const bool outside = offset < start || offset > End(partition);
    writer->Put<int32_t>(0);
    writer->Put<int16_t>(0);
    writer->Put<int32_t>(0);
    PutOnePartition(topic, partition, writer);
    writer->Put<int16_t>(outside ? int16_t{1} : code);
    writer->Put<int64_t>(outside ? -1 : End(partition));
    writer->Put<int64_t>(-1);
    writer->Put<int64_t>(outside ? -1 : start);
    writer->PutArrayCount(0);
    writer->Put<int32_t>(-1);
    const protocol::Bytes records = outside ? protocol::Bytes() : Read(partition, offset);
    writer->Put<int32_t>(static_cast<int32_t>(records.size()));
    writer->PutRaw(records);
  }

  // The last batch of the producer of each partition. REQUIRES: version 0; the reader is behind the header.
  void PutProducers(const std::map<int32_t, LogEntry>& known, protocol::Reader* reader, protocol::Writer* writer) {
    ++asked;
    (void)reader->ReadUnsignedVarint();
    const std::string topic(reader->ReadString());
    (void)reader->ReadUnsignedVarint();
    const auto partition = reader->Read<int32_t>();
    writer->Put<int32_t>(0);
    PutOnePartition(topic, partition, writer);
    writer->Put<int16_t>(code);
    writer->PutNullableString(std::nullopt);
    const auto found = known.find(partition);
    writer->PutArrayCount(found == known.end() ? 0 : 1);
    if (found != known.end()) {
      const LogEntry& last = found->second;
      writer->Put<int64_t>(last.producer_id);
      writer->Put<int32_t>(last.epoch);
      writer->Put<int32_t>(last.sequence + last.count - 1);
      writer->Put<int64_t>(0);
      writer->Put<int32_t>(-1);
      writer->Put<int64_t>(-1);
      writer->PutNoTags();
    }
    for (int structures = 0; structures < 3; ++structures) writer->PutNoTags();
  }

 private:
  // The head of what is said of it: one topic, one partition.
  static void PutOnePartition(const std::string& topic, int32_t partition, protocol::Writer* writer) {
    writer->PutArrayCount(1);
    writer->PutString(topic);
    writer->PutArrayCount(1);
    writer->Put<int32_t>(partition);
  }

  // Whole batches from the one with `offset` on, and the next one cut short.
  protocol::Bytes Read(int32_t partition, int64_t offset) {
    protocol::Bytes records;
    size_t batches = 0;
    for (const LogEntry& entry : entries[partition]) {
      if (entry.base_offset + entry.count <= offset) continue;
      const size_t at = records.size();
      records.resize(at + protocol::kBatchHeaderBytes);
      protocol::BatchHeader header;
      header.producer_id = entry.producer_id;
      header.producer_epoch = entry.epoch;
      header.base_sequence = entry.sequence;
      header.record_count = entry.count;
      header.records_crc = Crc32c({});
      protocol::EncodeBatchHeader(records.data() + at, header);
      StoreBigEndian<int64_t>(records.data() + at, entry.base_offset);
      if (++batches <= most_batches) continue;
      records.resize(records.size() - 1);
      break;
    }
    return records;
  }
};

}  // namespace dory::kafka
