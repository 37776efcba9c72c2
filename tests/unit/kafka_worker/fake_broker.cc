#include "tests/unit/kafka_worker/fake_broker.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "common/bytes.h"
#include "common/clock.h"
#include "kafka_worker/protocol/versions.h"
#include "tests/unit/kafka_worker/fake_sasl.h"

namespace dory::kafka {

FakeBroker::FakeBroker(EventLoop& loop, bool listens, int family)
    : loop_(loop), host_(family == AF_INET ? "127.0.0.1" : "::1") {
  listener_.Reset(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_in6 address{};
  socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  plain->sa_family = static_cast<sa_family_t>(family);
  if (family == AF_INET) {
    reinterpret_cast<sockaddr_in*>(&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  } else {
    address.sin6_addr = in6addr_loopback;
  }
  if (::bind(listener_.get(), plain, size) != 0) std::abort();
  ::getsockname(listener_.get(), plain, &size);
  port_ = ntohs(address.sin6_port);  // where an IPv4 address has it, too
  if (listens) Listen();
}

void FakeBroker::Listen() {
  if (::listen(listener_.get(), 16) != 0) std::abort();
  accept_ = std::make_unique<IoWatcher>(loop_, listener_.get(), [this](int) { Accept(); });
  accept_->Watch(kReadable);
}

void FakeBroker::Stop() {
  accept_->Watch(0);
  listener_.Reset();
  for (const auto& client : std::map(clients_)) Cut(*client.first);
}

std::vector<std::string> FakeBroker::All() const {
  std::vector<std::string> all;
  for (const auto& [partition, values] : log) all.insert(all.end(), values.begin(), values.end());
  return all;
}

void FakeBroker::GoOn() {
  holds = false;
  stuck.clear();
  for (const auto& client : std::map(clients_)) Serve(*client.first);
}

void FakeBroker::Accept() {
  const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  retired_.clear();
  auto client = std::make_shared<Client>();
  client->fd.Reset(fd);
  client->number = ++connections;
  Client* const raw = client.get();
  client->watcher = std::make_unique<IoWatcher>(loop_, fd, [this, raw](int directions) {
    if ((directions & kWritable) != 0 && !Flush(*raw)) return Cut(*raw);
    if ((directions & kReadable) != 0) OnReadable(*raw);
  });
  client->watcher->Watch(kReadable);
  clients_[raw] = std::move(client);
}

void FakeBroker::Cut(Client& client) {
  client.watcher->Watch(0);
  client.fd.Reset();
  retired_.push_back(clients_[&client]);  // its callback is the one that runs
  clients_.erase(&client);
}

void FakeBroker::OnReadable(Client& client) {
  std::byte buffer[65536];
  const ssize_t got = ::recv(client.fd.get(), buffer, sizeof(buffer), 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return Cut(client);
  client.input.insert(client.input.end(), buffer, buffer + got);
  Serve(client);
}

void FakeBroker::Serve(Client& client) {
  while (client.input.size() >= 4) {
    const auto size = static_cast<size_t>(LoadBigEndian<int32_t>(client.input.data())) + 4;
    if (client.input.size() < size) return;
    if (holds && LoadBigEndian<int16_t>(client.input.data() + 4) == 0) return;
    const Bytes frame(client.input.begin() + 4, client.input.begin() + static_cast<ptrdiff_t>(size));
    if (IsStuck(frame)) return;
    client.input.erase(client.input.begin(), client.input.begin() + static_cast<ptrdiff_t>(size));
    if (!Handle(client, frame)) return Cut(client);
  }
}

bool FakeBroker::IsStuck(const Bytes& frame) const {
  protocol::Reader header(frame, false);
  if (stuck.empty() || header.Read<int16_t>() != 0) return false;
  const auto version = header.Read<int16_t>();
  protocol::Reader reader = OpenBody(frame, protocol::IsFlexible(protocol::Api::kProduce, version));
  if (version >= 3) (void)reader.ReadNullableString();  // transactional id
  (void)reader.ReadRaw(2 + 4);
  bool found = false;
  for (size_t topics_left = reader.ReadArrayCount(3); topics_left > 0; --topics_left) {
    (void)ReadName(version, &reader);
    for (size_t left = reader.ReadArrayCount(5); left > 0; --left) {
      found |= stuck.contains(reader.Read<int32_t>());
      (void)reader.ReadRaw(reader.ReadArrayCount(1));
      reader.SkipTags();
    }
    reader.SkipTags();
  }
  return found;
}

protocol::Reader FakeBroker::OpenBody(const Bytes& frame, bool flexible) {
  const auto client_id = LoadBigEndian<int16_t>(frame.data() + 8);
  protocol::Reader body(ByteSpan(frame).subspan(10 + static_cast<size_t>(client_id)), flexible);
  body.SkipTags();
  return body;
}

std::optional<std::string> FakeBroker::ReadName(int16_t version, protocol::Reader* reader) const {
  if (version < protocol::kFirstProduceById) return std::string(reader->ReadString());
  const protocol::TopicId id = protocol::ReadTopicId(reader);
  for (const auto& [name, known] : ids) {
    if (known == id) return name;
  }
  return std::nullopt;
}

bool FakeBroker::Handle(Client& client, const Bytes& frame) {
  protocol::Reader header(frame, false);
  const auto api = static_cast<protocol::Api>(header.Read<int16_t>());
  const auto version = header.Read<int16_t>();
  const auto correlation_id = header.Read<int32_t>();
  protocol::Reader reader = OpenBody(frame, protocol::IsFlexible(api, version));
  Bytes answer;
  const bool refused_version = api == protocol::Api::kApiVersions && version > api_versions_version;
  protocol::Writer writer(&answer, !refused_version && protocol::IsFlexible(api, version));
  writer.Put<int32_t>(0);
  writer.Put<int32_t>(correlation_id);
  if (protocol::ChooseResponseHeaderVersion(api, version) == 1) writer.PutNoTags();
  bool answers = true;
  early_requests += MonotonicMs() < spared_until_ms_;
  if (api == protocol::Api::kApiVersions) {
    answers = knows_api_versions;
    asked_versions.push_back(version);
    PutApiVersions(refused_version, &writer);
  }
  if (api == protocol::Api::kListOffsets && version > 0) {
    offsets.PutOffset(tests::FakeLog::ReadOffsetQuestion(&reader), &writer);
  } else if (api == protocol::Api::kListOffsets) {
    writer.PutArrayCount(reader.Read<int32_t>() == -1 ? 0 : 1);
  }
  if (api == protocol::Api::kFetch) offsets.PutRecords(tests::FakeLog::ReadRecordsQuestion(&reader), &writer);
  if (api == protocol::Api::kDescribeProducers) PutProducers(tests::FakeLog::ReadProducersQuestion(&reader), &writer);
  PutFakeSasl(api, version, sasl_code, &writer);
  if (api == protocol::Api::kMetadata) PutMetadata(version, &reader, &writer);
  if (api == protocol::Api::kInitProducerId) PutProducerId(&writer);
  if (api == protocol::Api::kProduce) answers = PutProduce(version, client.number, &reader, &writer);
  if (!answers || (api == protocol::Api::kFetch && fetched == Fetched::kCut)) return false;
  const bool too_large = api == protocol::Api::kFetch && fetched == Fetched::kTooLarge;
  StoreBigEndian(answer.data(), too_large ? INT32_MAX : static_cast<int32_t>(answer.size() - 4));
  client.output.insert(client.output.end(), answer.begin(), answer.end());
  return Flush(client);
}

bool FakeBroker::Flush(Client& client) {
  const ssize_t sent = ::send(client.fd.get(), client.output.data(), client.output.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return false;
  client.output.erase(client.output.begin(), client.output.begin() + std::max<ssize_t>(sent, 0));
  client.watcher->Watch(client.output.empty() ? kReadable : kReadable | kWritable);
  return true;
}

void FakeBroker::PutApiVersions(bool refuses, protocol::Writer* writer) {
  ++api_versions_requests;
  std::vector<std::pair<int16_t, int16_t>> offered = {{18, api_versions_version}};
  if (!refuses) {
    offered.emplace_back(0, produce_version);
    offered.emplace_back(3, metadata_version);
    if (offers_fetch) offered.insert(offered.end(), {{1, 11}, {2, 5}});
    if (offers_describe_producers) offered.emplace_back(61, 0);
    if (sasl_code) offered.insert(offered.end(), {{17, 1}, {36, 2}});
    if (init_producer_id_version >= 0) offered.emplace_back(22, init_producer_id_version);
  }
  writer->Put<int16_t>(refuses ? 35 : 0);
  writer->PutArrayCount(offered.size());
  for (const auto& [api, highest] : offered) {
    writer->Put<int16_t>(api);
    writer->Put<int16_t>(api == 0 ? produce_version_lowest : int16_t{0});
    writer->Put<int16_t>(highest);
    writer->PutNoTags();
  }
  if (refuses) return;
  writer->Put<int32_t>(0);
  writer->PutNoTags();
}

void FakeBroker::PutMetadata(int16_t version, protocol::Reader* reader, protocol::Writer* writer) {
  ++metadata_requests;
  asked_metadata.push_back(ReadMetadataRequest(version, reader));
  FakeMetadata metadata;
  metadata.error_code = metadata_error;
  metadata.cluster_id = cluster_id;
  metadata.brokers.push_back({broker_id, host_, port_});
  if (other_port != 0) metadata.brokers.push_back({3 - broker_id, "127.0.0.1", other_port});
  for (const std::string& name : asked_metadata.back().topics) {
    const auto found = topics.find(name);
    const auto named = ids.find(name);
    if (const auto error = topic_errors.find(name); error != topic_errors.end()) {
      metadata.topics.push_back({.name = name, .error_code = error->second});
      continue;
    }
    FakeTopic& topic = metadata.topics.emplace_back(FakeTopic{.name = name, .error_code = 3});
    if (found == topics.end()) {  // once it is there the next request finds it
      if (creates && asked_metadata.back().allows_creation) topics[name] = 2;
      continue;
    }
    topic = {name, 0, named == ids.end() ? protocol::kNoTopicId : named->second, found->second, leader, replicas, leaderless};
  }
  PutFakeMetadata(version, metadata, writer);
}

void FakeBroker::PutProducerId(protocol::Writer* writer) {
  writer->Put<int32_t>(0);
  writer->Put<int16_t>(init_producer_id_code);
  writer->Put<int64_t>(init_producer_id_code == 0 ? next_producer_id++ : -1);
  writer->Put<int16_t>(0);
  writer->PutNoTags();
}

void FakeBroker::PutProducers(const tests::LogQuestion& question, protocol::Writer* writer) {
  const auto found = leaders_.find(question.partition);
  offsets.PutProducers(question, found == leaders_.end() ? FakeLeader().ListLast() : found->second.ListLast(), writer);
}

bool FakeBroker::PutProduce(int16_t version, size_t connection, protocol::Reader* reader, protocol::Writer* writer) {
  if (version >= 3) (void)reader->ReadNullableString();
  EXPECT_EQ(reader->Read<int16_t>(), -1);  // acks=all
  const auto timeout_ms = reader->Read<int32_t>();
  const size_t topic_count = reader->ReadArrayCount(3);
  empty_produces += topic_count == 0;
  writer->PutArrayCount(topic_count);
  std::vector<std::pair<int32_t, size_t>> came;  // where in `seen`
  bool answers = true;
  for (size_t t = 0; t < topic_count; ++t) {
    protocol::Reader again = *reader;
    const std::optional<std::string> name = ReadName(version, reader);
    if (version < protocol::kFirstProduceById) {
      writer->PutString(*name);
    } else {
      writer->PutRaw(protocol::ReadTopicId(&again));
    }
    const size_t partitions = reader->ReadArrayCount(5);
    writer->PutArrayCount(partitions);
    for (size_t p = 0; p < partitions; ++p) {
      const auto partition = reader->Read<int32_t>();
      const ByteSpan bytes = reader->ReadRaw(reader->ReadArrayCount(1));
      reader->SkipTags();
      const std::optional<SeenBatch> batch = version >= 3 ? UnpackBatch(bytes) : UnpackMessages(version, bytes);
      EXPECT_TRUE(batch || takes_damaged);
      if (!batch || !name) {
        PutResult(version, partition, {.code = name ? int16_t{2} : int16_t{100}}, writer);
        continue;
      }
      came.emplace_back(partition, seen[partition].size());
      seen[partition].push_back(*batch);
      seen[partition].back().version = version;
      seen[partition].back().metadata_requests = metadata_requests;
      answers = PutVerdict(version, partition, writer) && answers;
    }
    reader->SkipTags();
    writer->PutNoTags();
  }
  for (const auto& [partition, index] : came) {
    SeenBatch& batch = seen[partition][index];
    batch.connection = connection;
    batch.in_request = came.size();
    batch.timeout_ms = timeout_ms;
  }
  if (throttle_ms > 0) spared_until_ms_ = MonotonicMs() + throttle_ms;
  if (version >= 1) writer->Put<int32_t>(std::exchange(throttle_ms, 0));
  PutEndpoints(writer);
  return answers;
}

bool FakeBroker::PutVerdict(int16_t version, int32_t partition, protocol::Writer* writer) {
  const SeenBatch& now = seen[partition].back();
  if (HasAny(now, cut)) return false;
  Step step;
  if (always.contains(partition)) {
    step.code = always[partition];
  } else if (std::deque<Step>& steps = script[partition]; !steps.empty()) {
    step = steps.front();
    steps.pop_front();
    if (step.appends) Judge(partition, now);
    if (!step.cluster.empty()) cluster_id = step.cluster;
  } else {
    step.code = Judge(partition, now);
  }
  if (!step.cuts) PutResult(version, partition, step, writer);
  return !step.cuts;
}

void FakeBroker::PutResult(int16_t version, int32_t partition, const Step& step, protocol::Writer* writer) {
  writer->Put<int32_t>(partition);
  writer->Put<int16_t>(step.code);
  writer->Put<int64_t>(step.code == 0 ? OffsetOf(partition, seen[partition].back()) : -1);
  if (version >= 2) writer->Put<int64_t>(-1);
  if (version >= 5) writer->Put<int64_t>(0);
  if (version < 8) return;
  writer->PutArrayCount(step.names_record >= 0 ? 1 : 0);
  if (step.names_record >= 0) {
    writer->Put<int32_t>(step.names_record);
    writer->PutNullableString("it has no key");
    writer->PutNoTags();
  }
  writer->PutNullableString(std::nullopt);
  if (version < 10 || step.leader < 0) return writer->PutNoTags();
  named_leaders_.insert(step.leader);
  Bytes field;
  protocol::Writer tag(&field, true);
  tag.Put<int32_t>(step.leader);
  tag.Put<int32_t>(step.leader_epoch);
  tag.PutNoTags();
  PutTag(field, writer);
}

int64_t FakeBroker::OffsetOf(int32_t partition, const SeenBatch& batch) {
  return offsets.OffsetOf(partition, batch.producer_id, batch.epoch, batch.sequence);
}

void FakeBroker::PutTag(const Bytes& field, protocol::Writer* writer) {
  writer->PutUnsignedVarint(1);
  writer->PutUnsignedVarint(0);
  writer->PutUnsignedVarint(field.size());
  writer->PutRaw(field);
}

void FakeBroker::PutEndpoints(protocol::Writer* writer) {
  const std::set<int32_t> named = std::exchange(named_leaders_, {});
  if (named.empty()) return writer->PutNoTags();
  Bytes field;
  protocol::Writer tag(&field, true);
  tag.PutArrayCount(named.size());
  for (const int32_t named_id : named) {
    tag.Put<int32_t>(named_id);
    tag.PutString("127.0.0.1");
    tag.Put<int32_t>(named_id == broker_id ? port_ : hinted_port);
    tag.PutNullableString(std::nullopt);
    tag.PutNoTags();
  }
  PutTag(field, writer);
}

void FakeBroker::Append(int32_t partition, const SeenBatch& batch) {
  std::vector<std::string>& values = log[partition];
  values.insert(values.end(), batch.values.begin(), batch.values.end());
  offsets.Append(partition, batch.producer_id, batch.epoch, batch.sequence, batch.values.size());
}

bool FakeBroker::HasAny(const SeenBatch& batch, const std::set<std::string>& values) {
  return std::any_of(batch.values.begin(), batch.values.end(),
                     [&values](const std::string& value) { return values.contains(value); });
}

int16_t FakeBroker::Judge(int32_t partition, const SeenBatch& batch) {
  if (batch.values.size() > most_records) return 10;
  if (HasAny(batch, refused)) return 87;
  if (HasAny(batch, poison)) return -1;
  if (batch.producer_id < 0 && without_sequences && batch.has_headers) return -1;
  if (batch.producer_id < 0) {  // it has no sequence, and whatever comes is appended
    Append(partition, batch);
    return 0;
  }
  if (without_sequences) return 43;
  if (const auto verdict = leaders_[partition].Judge(batch, takes_any_sequence)) return *verdict;
  Append(partition, batch);
  return 0;
}

}  // namespace dory::kafka
