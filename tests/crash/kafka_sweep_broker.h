// Two brokers of one cluster, whose logs and producers outlive a life; they are asked through sockets.
//
// Order: what the kernel has taken is a request from that instant (Receive), whether the worker lives to
//   see it served (Serve) or not (ServeLate).

#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/bytes.h"
#include "common/file_descriptor.h"
#include "kafka_worker/protocol/record.h"
#include "kafka_worker/protocol/versions.h"
#include "kafka_worker/protocol/wire.h"
#include "tests/crash/kafka_sweep_log.h"
#include "tests/crash/sweep.h"
#include "tests/support/message_set.h"
#include "tests/unit/kafka_worker/fake_sasl.h"

namespace dory::kafka {

inline constexpr uint16_t kFirstPort = 9001;  // of broker 1; the next is broker 2's
inline constexpr int16_t kAuthenticationFailed = 58;
inline constexpr int64_t kProducersOfACluster = 100;
inline constexpr int64_t kOffsetsOfALog = 1000;  // those of another cluster, or of a topic that is created anew, begin there

struct WrittenRequest {
  uint32_t connection;
  int32_t broker;
  size_t size;
  std::array<std::byte, 40 * 1024> bytes;
};

// Shared, and all zero when nothing has happened (but `requests`).
struct BrokerState {
  std::array<std::array<PartitionState, kMostPartitions>, kSweepTopics> partitions;
  int64_t producer_ids;
  uint32_t cluster;  // which one it is, from 0
  std::array<uint32_t, kSweepTopics> generations;  // how often each topic was created anew
  uint32_t metadata_requests;
  uint32_t produced;  // requests of living workers
  uint32_t looks;     // questions about a log
  uint32_t refusals;  // of who we are; in all
  uint32_t refusals_by_fault;  // that are still to come
  size_t written_count;
  size_t late_count;
  char violation[80];
  struct {
    std::array<WrittenRequest, 6> written;
    std::array<WrittenRequest, 6> late;  // of workers that were killed
  } requests;
};

class Brokers {
 public:
  Brokers(const Scenario& scenario, BrokerState* state) : scenario_(scenario), state_(*state) {}

  int Connect(uint16_t port) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) crash::Die("socketpair");
    Connection& connection = connections_[next_connection_++];
    connection.broker = port - kFirstPort + 1;
    connection.fd.Reset(ends[1]);
    return ends[0];
  }

  // Takes whole requests off the sockets.
  void Receive() {
    for (auto& [number, connection] : connections_) Read(number, &connection);
    std::erase_if(connections_, [](const auto& entry) { return entry.second.fd.get() < 0; });
  }

  // Answers what was there the last time, so that a worker goes on meanwhile, and then does what came late.
  void Serve() {
    const uint32_t before = state_.produced;
    for (size_t due = std::exchange(due_, 0); due > 0; --due) {
      const WrittenRequest request = Pop(&state_.requests.written, &state_.written_count);
      const auto found = connections_.find(request.connection);
      if (found != connections_.end() && !found->second.is_silent && found->second.fd.get() >= 0) {
        Answer(request, &found->second);
      }
    }
    if (state_.produced > before) ServeLate();
    ForgetProducers();
    due_ = state_.written_count;
  }

  // What a worker had written when it was killed.
  void Outlive(Late late) {
    while (state_.written_count > 0) {
      const WrittenRequest request = Pop(&state_.requests.written, &state_.written_count);
      const auto api = static_cast<protocol::Api>(LoadBigEndian<int16_t>(request.bytes.data()));
      if (late != Late::kLost && api == protocol::Api::kProduce) state_.requests.late.at(state_.late_count++) = request;
    }
    if (late == Late::kAtDeath) ServeLate();
  }

  // Nobody is there to hear the answers.
  void ServeLate() {
    is_late_ = true;
    while (state_.late_count > 0) Handle(Pop(&state_.requests.late, &state_.late_count));
    is_late_ = false;
  }

 private:
  using Bytes = protocol::Bytes;

  struct Connection {
    FileDescriptor fd;
    int32_t broker = 0;
    bool is_silent = false;
    Bytes input;
  };

  struct Verdict {
    int16_t code = 0;
    int64_t offset = -1;
    std::vector<int32_t> named = {};  // records, by their place
    bool cuts = false;
    bool is_silent = false;
    bool garbles = false;
  };

  void Read(uint32_t number, Connection* connection) {
    std::byte buffer[16384];
    for (;;) {
      const ssize_t got = ::recv(connection->fd.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
      if (got == 0) connection->fd.Reset();
      if (got <= 0) break;
      connection->input.insert(connection->input.end(), buffer, buffer + got);
    }
    Bytes& input = connection->input;
    while (input.size() >= 4) {
      const auto size = static_cast<size_t>(LoadBigEndian<int32_t>(input.data()));
      if (input.size() < 4 + size) return;
      WrittenRequest& request = state_.requests.written.at(state_.written_count++);
      request.connection = number;
      request.broker = connection->broker;
      request.size = size;
      if (size > request.bytes.size()) crash::Die("a request of " + std::to_string(size) + " bytes");
      std::memcpy(request.bytes.data(), input.data() + 4, size);
      input.erase(input.begin(), input.begin() + static_cast<ptrdiff_t>(4 + size));
    }
  }

  static WrittenRequest Pop(std::array<WrittenRequest, 6>* from, size_t* count) {
    const WrittenRequest first = (*from)[0];
    std::copy(from->begin() + 1, from->begin() + static_cast<ptrdiff_t>(*count), from->begin());
    --*count;
    return first;
  }

  void Answer(const WrittenRequest& request, Connection* connection) {
    const std::optional<Bytes> answer = Handle(request);
    connection->is_silent = answer && answer->empty();
    const bool is_cut = !answer || ::send(connection->fd.get(), answer->data(), answer->size(), MSG_NOSIGNAL) < 0;
    if (is_cut) connection->fd.Reset();
    if (!std::exchange(cuts_all_, false)) return;
    for (auto& [number, other] : connections_) other.fd.Reset();
  }

  // Nothing: the connection is cut; no bytes: there will be no answer.
  std::optional<Bytes> Handle(const WrittenRequest& request) {
    const ByteSpan bytes{request.bytes.data(), request.size};
    protocol::Reader header(bytes, false);
    const auto api = static_cast<protocol::Api>(header.Read<int16_t>());
    const auto version = header.Read<int16_t>();
    const auto correlation_id = header.Read<int32_t>();
    (void)header.ReadNullableString();
    protocol::Reader reader(bytes.subspan(header.offset()), protocol::IsFlexible(api, version));
    reader.SkipTags();
    Bytes answer;
    protocol::Writer writer(&answer, protocol::IsFlexible(api, version));
    writer.Put<int32_t>(0);
    writer.Put<int32_t>(correlation_id);
    if (protocol::ChooseResponseHeaderVersion(api, version) == 1) writer.PutNoTags();
    Verdict verdict;
    const int16_t produce = scenario_.produce.at(static_cast<size_t>(request.broker - 1));
    if (api == protocol::Api::kApiVersions && produce == 0) return std::nullopt;
    if (api == protocol::Api::kApiVersions) PutApiVersions(produce, &writer);
    const bool is_probe = api == protocol::Api::kListOffsets && version == 0;
    if (is_probe) writer.PutArrayCount(0);
    if (!is_probe) PutLook(api, request.broker, &reader, &writer);
    PutFakeSasl(api, version, api == protocol::Api::kSaslAuthenticate ? JudgeToken() : 0, &writer);
    if (api == protocol::Api::kMetadata) PutMetadata(version, &reader, &writer);
    if (api == protocol::Api::kInitProducerId) PutProducerId(&writer);
    if (api == protocol::Api::kProduce) verdict = PutProduce(request.broker, version, &reader, &writer);
    if (verdict.cuts) return std::nullopt;
    if (verdict.is_silent) return Bytes{};
    if (verdict.garbles) answer.resize(answer.size() - 3);
    StoreBigEndian(answer.data(), static_cast<int32_t>(answer.size() - 4));
    return answer;
  }

  void PutApiVersions(int16_t produce, protocol::Writer* writer) const {
    std::vector<std::pair<int16_t, int16_t>> offered = {{0, produce}, {3, TellsIds(scenario_) ? 10 : 2}, {18, 3}};
    if (produce >= 3) offered.emplace_back(22, scenario_.old_brokers ? 1 : 4);
    if (scenario_.look != Look::kNone) offered.insert(offered.end(), {{1, 11}, {2, 5}});
    if (scenario_.look == Look::kDescribes) offered.emplace_back(61, 0);
    if (scenario_.wants_sasl) offered.insert(offered.end(), {{17, 1}, {36, 2}});
    writer->Put<int16_t>(0);
    writer->PutArrayCount(offered.size());
    for (const auto& [api, highest] : offered) {
      writer->Put<int16_t>(api);
      writer->Put<int16_t>(0);
      writer->Put<int16_t>(highest);
      writer->PutNoTags();
    }
    writer->Put<int32_t>(0);
    writer->PutNoTags();
  }

  int16_t JudgeToken() {
    const bool refuses = state_.refusals < scenario_.refuses_at_first || state_.refusals_by_fault > 0;
    if (!refuses) return 0;
    if (state_.refusals >= scenario_.refuses_at_first) --state_.refusals_by_fault;
    ++state_.refusals;
    return kAuthenticationFailed;
  }

  // Nothing where it is no question about a log.
  void PutLook(protocol::Api api, int32_t broker, protocol::Reader* reader, protocol::Writer* writer) {
    if (api == protocol::Api::kDescribeProducers) {
      const tests::LogQuestion question = tests::FakeLog::ReadProducersQuestion(reader);
      PartitionState& partition = FindAsked(question);
      OpenLog(partition, broker, question).PutProducers(question, LogOf(partition).ListProducers(), writer);
    } else if (api == protocol::Api::kListOffsets) {
      const tests::LogQuestion question = tests::FakeLog::ReadOffsetQuestion(reader);
      OpenLog(FindAsked(question), broker, question).PutOffset(question, writer);
    } else if (api == protocol::Api::kFetch) {
      const tests::LogQuestion question = tests::FakeLog::ReadRecordsQuestion(reader);
      OpenLog(FindAsked(question), broker, question).PutRecords(question, writer);
    }
  }

  PartitionState& FindAsked(const tests::LogQuestion& question) {
    ++state_.looks;
    const auto topic = static_cast<size_t>(question.topic.at(1) - '0');
    return state_.partitions.at(topic).at(static_cast<size_t>(question.partition));
  }

  tests::FakeLog OpenLog(PartitionState& partition, int32_t broker, const tests::LogQuestion& question) const {
    tests::FakeLog log = LogOf(partition).Read(question.partition);
    if (LeaderOf(partition) != broker) log.code = 6;
    return log;
  }

  PartitionLog LogOf(PartitionState& partition) const { return {partition, scenario_}; }

  // Of versions up to 2, and of 10, which tells topics' ids.
  void PutMetadata(int16_t version, protocol::Reader* reader, protocol::Writer* writer) {
    if (version >= 3) writer->Put<int32_t>(0);
    writer->PutArrayCount(2);
    for (int32_t id = 1; id <= 2; ++id) {
      writer->Put<int32_t>(id);
      writer->PutString("127.0.0.1");
      writer->Put<int32_t>(kFirstPort + id - 1);
      if (version >= 1) writer->PutNullableString(std::nullopt);
      writer->PutNoTags();
    }
    if (version >= 2) writer->PutNullableString(state_.cluster == 0 ? "cluster" : "other");
    if (version >= 1) writer->Put<int32_t>(1);
    const size_t count = reader->ReadArrayCount(2);
    if (count > 0) ++state_.metadata_requests;
    writer->PutArrayCount(count);
    for (size_t i = 0; i < count; ++i) {
      if (version >= 10) (void)reader->ReadRaw(protocol::kNoTopicId.size());
      PutTopic(version, std::string(reader->ReadString()), writer);
      reader->SkipTags();
    }
    if (version >= 8) writer->Put<int32_t>(0);
    writer->PutNoTags();
  }

  void PutTopic(int16_t version, const std::string& name, protocol::Writer* writer) const {
    const auto topic = static_cast<size_t>(name.at(1) - '0');
    const bool known = state_.metadata_requests > scenario_.known_after[topic];
    writer->Put<int16_t>(known ? 0 : 3);
    writer->PutString(name);
    if (version >= 10) writer->PutRaw(protocol::TopicId{static_cast<std::byte>(state_.generations[topic] + 1)});
    if (version >= 1) writer->PutBool(false);
    const size_t partitions = known ? CountPartitions(topic) : 0;
    writer->PutArrayCount(partitions);
    for (size_t p = 0; p < partitions; ++p) {
      writer->Put<int16_t>(0);
      writer->Put<int32_t>(static_cast<int32_t>(p));
      writer->Put<int32_t>(LeaderOf(state_.partitions[topic][p]));
      if (version >= 7) writer->Put<int32_t>(0);
      for (int arrays = version >= 5 ? 3 : 2; arrays > 0; --arrays) writer->PutArrayCount(0);
      writer->PutNoTags();
    }
    if (version >= 8) writer->Put<int32_t>(0);
    writer->PutNoTags();
  }

  size_t CountPartitions(size_t topic) const {
    return state_.generations[topic] == 0 ? scenario_.partitions[topic] : scenario_.partitions_anew;
  }

  void PutProducerId(protocol::Writer* writer) {
    writer->Put<int32_t>(0);
    writer->Put<int16_t>(0);
    writer->Put<int64_t>(kFirstProducer + kProducersOfACluster * state_.cluster + ++state_.producer_ids);
    writer->Put<int16_t>(0);
    writer->PutNoTags();
  }

  Verdict PutProduce(int32_t broker, int16_t version, protocol::Reader* reader, protocol::Writer* writer) {
    ++state_.produced;
    Verdict worst;
    if (version >= 3) (void)reader->ReadNullableString();
    if (reader->Read<int16_t>() != -1) Violate("acks is not all");
    reader->Read<int32_t>();
    const size_t topics = reader->ReadArrayCount(6);
    if (topics == 0) Violate("a request for nothing");
    writer->PutArrayCount(topics);
    for (size_t t = 0; t < topics; ++t) {
      const std::string name(reader->ReadString());
      writer->PutString(name);
      const size_t partitions = reader->ReadArrayCount(8);
      writer->PutArrayCount(partitions);
      for (size_t p = 0; p < partitions; ++p) {
        const auto partition = static_cast<size_t>(reader->Read<int32_t>());
        const ByteSpan bytes = reader->ReadRaw(static_cast<size_t>(reader->Read<int32_t>()));
        const Verdict verdict = Take(broker, static_cast<size_t>(name.at(1) - '0'), partition, bytes);
        PutResult(version, partition, verdict, writer);
        worst.cuts |= verdict.cuts;
        worst.is_silent |= verdict.is_silent;
        worst.garbles |= verdict.garbles;
      }
    }
    if (version >= 1) writer->Put<int32_t>(0);
    return worst;
  }

  static void PutResult(int16_t version, size_t partition, const Verdict& verdict, protocol::Writer* writer) {
    writer->Put<int32_t>(static_cast<int32_t>(partition));
    writer->Put<int16_t>(verdict.code);
    writer->Put<int64_t>(verdict.offset);
    if (version >= 2) writer->Put<int64_t>(-1);
    if (version < 8) return;
    writer->Put<int64_t>(0);
    writer->PutArrayCount(verdict.named.size());
    for (const int32_t record : verdict.named) {
      writer->Put<int32_t>(record);
      writer->PutNullableString("refused");
    }
    writer->PutNullableString(std::nullopt);
  }

  Verdict Take(int32_t broker, size_t topic, size_t number, ByteSpan bytes) {
    PartitionState& partition = state_.partitions.at(topic).at(number);
    const uint32_t count = ++partition.batches;
    if (number >= CountPartitions(topic)) return {.code = kUnknownTopicOrPartition};
    const auto fault = std::find_if(scenario_.faults.begin(), scenario_.faults.end(), [&](const Fault& f) {
      return f.topic == topic && f.partition == number && f.batch == count;
    });
    if (fault != scenario_.faults.end()) return Misbehave(*fault, broker, &partition, bytes);
    if (LeaderOf(partition) != broker) return {.code = 6};
    Verdict verdict = Judge(&partition, bytes);
    if (verdict.offset >= 0) verdict.offset += kOffsetsOfALog * (state_.cluster + state_.generations[topic]);
    return verdict;
  }

  Verdict Misbehave(const Fault& fault, int32_t broker, PartitionState* partition, ByteSpan bytes) {
    if (fault.kind == FaultKind::kForgets) {
      const Result<protocol::DecodedBatch> batch = protocol::DecodeBatch(bytes);
      // Sequence 0 is taken from anybody: of one that was in the log nobody could tell.
      if (batch.ok() && batch.value().header.base_sequence != 0) partition->producer_count = 0;
      return Judge(partition, bytes);
    }
    if (fault.appends) Judge(partition, bytes);
    if (fault.kind == FaultKind::kMovesLeader) partition->leader = 3 - broker;
    if (fault.kind == FaultKind::kMovesCluster) ++state_.cluster;
    if (fault.kind == FaultKind::kCutsAndForgets) partition->forgets = true;
    if (fault.kind == FaultKind::kRecreates) Recreate(fault.topic);
    if (fault.kind == FaultKind::kRefuses) state_.refusals_by_fault = static_cast<uint32_t>(fault.code);
    cuts_all_ = fault.kind == FaultKind::kMovesCluster || fault.kind == FaultKind::kRefuses;
    return {.code = fault.kind == FaultKind::kMovesLeader ? int16_t{6} : fault.code,
            .cuts = fault.kind == FaultKind::kCuts || fault.kind == FaultKind::kCutsAndForgets || cuts_all_,
            .is_silent = fault.kind == FaultKind::kSaysNothing,
            .garbles = fault.kind == FaultKind::kGarbles};
  }

  void Recreate(size_t topic) {
    ++state_.generations[topic];
    for (PartitionState& partition : state_.partitions[topic]) LogOf(partition).BeginAnew();
  }

  static int32_t LeaderOf(const PartitionState& partition) { return partition.leader == 0 ? 1 : partition.leader; }

  // Kafka's checks, in Kafka's order.
  Verdict Judge(PartitionState* partition, ByteSpan bytes) {
    const std::optional<SweepBatch> unpacked = Unpack(bytes);
    if (!unpacked) return {.code = 2};
    const SweepBatch& batch = *unpacked;
    const auto is = [&](uint16_t message, Fate fate) { return scenario_.messages.at(message).fate == fate; };
    const auto has = [&](Fate fate) {
      return std::any_of(batch.messages.begin(), batch.messages.end(), [&](uint16_t message) { return is(message, fate); });
    };
    if (has(Fate::kCutOff)) return {.cuts = true};
    if (has(Fate::kFatal)) return {.code = -1};
    if (has(Fate::kHuge) || batch.messages.size() > scenario_.most_records) return {.code = 10};
    Verdict verdict;
    for (size_t i = 0; i < batch.messages.size(); ++i) {
      if (!is(batch.messages[i], Fate::kRefused)) continue;
      verdict.code = 87;
      if (scenario_.names_refused) verdict.named.push_back(static_cast<int32_t>(i));
    }
    if (verdict.code == 0) verdict.code = Append(partition, batch);
    if (verdict.code == 0) verdict.offset = std::max<int64_t>(LogOf(*partition).OffsetOf(batch), 0);
    if (verdict.code != 0 && verdict.code != 87 && !is_late_ && !scenario_.ambiguous) Violate("a sequence that is wrong");
    return verdict;
  }

  // The format stands at the same place in all of them.
  std::optional<SweepBatch> Unpack(ByteSpan bytes) {
    constexpr size_t kMagicAt = 16;
    if (bytes.size() > kMagicAt && bytes[kMagicAt] < std::byte{2}) return UnpackMessages(bytes);
    const Result<protocol::DecodedBatch> whole = protocol::DecodeBatch(bytes);
    if (!whole.ok()) return std::nullopt;
    const protocol::DecodedBatch& decoded = whole.value();
    SweepBatch batch{decoded.header, {}};
    ByteReader records(decoded.records);
    protocol::RecordView record;
    for (int32_t i = 0; i < decoded.header.record_count; ++i) {
      if (!protocol::DecodeRecord(&records, &record) || record.offset_delta != i) Violate("a record's offset");
      batch.messages.push_back(NumberOf(*record.value));
    }
    if (records.remaining() > 0) Violate("bytes behind the records");
    return batch;
  }

  std::optional<SweepBatch> UnpackMessages(ByteSpan bytes) {
    const auto messages = tests::ReadMessageSet(bytes);
    if (!messages) return std::nullopt;
    SweepBatch batch{{}, {}};
    for (const tests::PlainMessage& message : *messages) batch.messages.push_back(NumberOf(*message.value));
    return batch;
  }

  uint16_t NumberOf(ByteSpan value) {
    const auto number = static_cast<size_t>(std::atoi(std::string(AsText(value).substr(0, 4)).c_str()));
    if (number >= scenario_.messages.size()) Violate("a message that nobody sent");
    return static_cast<uint16_t>(number % scenario_.messages.size());
  }

  int16_t Append(PartitionState* partition, const SweepBatch& batch) {
    const int64_t id = batch.header.producer_id;
    // As if somebody else had the same id there, and this were a repetition of his.
    if (id >= 0 && id < kFirstProducer + kProducersOfACluster * state_.cluster) return 0;
    return LogOf(*partition).Append(batch, FirstSequence(*partition, batch));
  }

  // Of a producer that the partition has never seen. One partition's has a past.
  int32_t FirstSequence(const PartitionState& partition, const SweepBatch& batch) const {
    const bool has_past = &partition == &state_.partitions[0][0] && batch.header.producer_id == kFirstProducer &&
                          batch.header.producer_epoch == scenario_.first_epoch;
    return has_past ? scenario_.first_sequence : 0;
  }

  void ForgetProducers() {
    for (auto& topic : state_.partitions) {
      for (PartitionState& partition : topic) {
        if (std::exchange(partition.forgets, false)) partition.producer_count = 0;
      }
    }
  }

  void Violate(const char* what) { std::snprintf(state_.violation, sizeof(state_.violation), "%s", what); }

  const Scenario& scenario_;
  BrokerState& state_;
  std::map<uint32_t, Connection> connections_;
  uint32_t next_connection_ = 1;
  size_t due_ = 0;  // of the written requests: those to serve
  bool is_late_ = false;
  bool cuts_all_ = false;
};

}  // namespace dory::kafka
