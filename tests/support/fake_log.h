// What a fake broker says of its logs: where they begin, what stands in them, and whose state it keeps.

#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/crc32c.h"
#include "kafka_worker/protocol/batch.h"
#include "kafka_worker/protocol/wire.h"

namespace dory::tests {

// A batch in it.
struct LogEntry {
  int64_t base_offset;
  int64_t producer_id;
  int16_t epoch;
  int32_t sequence;
  int32_t count;
};

// What is asked of one partition.
struct LogQuestion {
  std::string topic;
  int32_t partition;
  int64_t from = 0;  // an offset, or a time
};

class FakeLog {
 public:
  using Reader = kafka::protocol::Reader;
  using Writer = kafka::protocol::Writer;

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
  int64_t OffsetOf(int32_t partition, int64_t producer_id, int16_t epoch, int32_t sequence) {
    const std::vector<LogEntry>& all = entries[partition];
    const auto found = std::find_if(all.rbegin(), all.rend(), [&](const LogEntry& entry) {
      return entry.producer_id == producer_id && entry.epoch == epoch && entry.sequence == sequence;
    });
    return found == all.rend() ? End(partition) : found->base_offset;
  }

  // ---- questions of one partition each, and answers to them
  // REQUIRES: ListOffsets 5 and Fetch 11, which are not flexible; DescribeProducers 0. The reader is behind the
  // header.

  static LogQuestion ReadOffsetQuestion(Reader* reader) {
    (void)reader->ReadRaw(4 + 1);  // replica, isolation
    LogQuestion question = ReadOnePartition(reader);
    (void)reader->Read<int32_t>();
    question.from = reader->Read<int64_t>();
    return question;
  }

  static LogQuestion ReadRecordsQuestion(Reader* reader) {
    (void)reader->ReadRaw(4 + 4 + 4 + 4 + 1 + 4 + 4);
    LogQuestion question = ReadOnePartition(reader);
    (void)reader->Read<int32_t>();
    question.from = reader->Read<int64_t>();
    return question;
  }

  static LogQuestion ReadProducersQuestion(Reader* reader) { return ReadOnePartition(reader); }

  void PutOffset(const LogQuestion& question, Writer* writer) {
    ++asked;
    constexpr int64_t kEarliest = -2;
    const bool is_there = question.from == kEarliest || End(question.partition) > start;
    writer->Put<int32_t>(0);
    PutOnePartition(question, writer);
    writer->Put<int16_t>(code);
    writer->Put<int64_t>(-1);
    writer->Put<int64_t>(is_there ? start : -1);
    writer->Put<int32_t>(-1);
  }

  void PutRecords(const LogQuestion& question, Writer* writer) {
    ++asked;
    const int64_t end = End(question.partition);
    const bool outside = question.from < start || question.from > end;
    writer->Put<int32_t>(0);
    writer->Put<int16_t>(0);
    writer->Put<int32_t>(0);
    PutOnePartition(question, writer);
    writer->Put<int16_t>(outside ? int16_t{1} : code);
    writer->Put<int64_t>(outside ? -1 : end);
    writer->Put<int64_t>(-1);
    writer->Put<int64_t>(outside ? -1 : start);
    writer->PutArrayCount(0);
    writer->Put<int32_t>(-1);
    const kafka::protocol::Bytes records =
        outside || code != 0 ? kafka::protocol::Bytes() : Read(question.partition, question.from);
    writer->Put<int32_t>(static_cast<int32_t>(records.size()));
    writer->PutRaw(records);
  }

  // `last`: of each producer of that partition its last batch.
  void PutProducers(const LogQuestion& question, const std::vector<LogEntry>& last, Writer* writer) {
    ++asked;
    writer->Put<int32_t>(0);
    PutOnePartition(question, writer);
    writer->Put<int16_t>(code);
    writer->PutNullableString(std::nullopt);
    writer->PutArrayCount(last.size());
    for (const LogEntry& batch : last) {
      writer->Put<int64_t>(batch.producer_id);
      writer->Put<int32_t>(batch.epoch);
      writer->Put<int32_t>(batch.sequence + batch.count - 1);
      writer->Put<int64_t>(0);
      writer->Put<int32_t>(-1);
      writer->Put<int64_t>(-1);
      writer->PutNoTags();
    }
    for (int structures = 0; structures < 3; ++structures) writer->PutNoTags();
  }

 private:
  static LogQuestion ReadOnePartition(Reader* reader) {
    (void)reader->ReadArrayCount(1);
    LogQuestion question{std::string(reader->ReadString()), -1};
    (void)reader->ReadArrayCount(1);
    question.partition = reader->Read<int32_t>();
    return question;
  }

  // The head of what is said of it: one topic, one partition.
  static void PutOnePartition(const LogQuestion& question, Writer* writer) {
    writer->PutArrayCount(1);
    writer->PutString(question.topic);
    writer->PutArrayCount(1);
    writer->Put<int32_t>(question.partition);
  }

  // Whole batches from the one with `offset` on, and the next one cut short.
  kafka::protocol::Bytes Read(int32_t partition, int64_t offset) {
    kafka::protocol::Bytes records;
    size_t batches = 0;
    for (const LogEntry& entry : entries[partition]) {
      if (entry.base_offset + entry.count <= offset) continue;
      const size_t at = records.size();
      records.resize(at + kafka::protocol::kBatchHeaderBytes);
      kafka::protocol::BatchHeader header;
      header.producer_id = entry.producer_id;
      header.producer_epoch = entry.epoch;
      header.base_sequence = entry.sequence;
      header.record_count = entry.count;
      header.records_crc = Crc32c({});
      kafka::protocol::EncodeBatchHeader(records.data() + at, header);
      StoreBigEndian<int64_t>(records.data() + at, entry.base_offset);
      if (++batches <= most_batches) continue;
      records.resize(records.size() - 1);
      break;
    }
    return records;
  }
};

}  // namespace dory::tests
