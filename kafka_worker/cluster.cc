#include "kafka_worker/cluster.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "common/control.pb.h"
#include "common/clock.h"
#include "common/crash_point.h"
#include "common/log.h"
#include "kafka_worker/backoff.h"
#include "kafka_worker/protocol/error_codes.h"
#include "kafka_worker/protocol/init_producer_id.h"
#include "shm/store.h"

namespace dory::kafka {
namespace {

using protocol::Api;

constexpr int64_t kTickMs = 50;  // while metadata or a producer id is wanted and not there
constexpr int64_t kIdleTickMs = 1000;

constexpr BackoffRange kRefusedBackoff = {1000, 30'000};  // between asking for a producer id that is refused

std::string ShowAddress(const HostPort& address) {
  return fmt::format("{}:{}", address.host, address.port);
}

// Of each api the version that is used with this broker.
void FillVersions(const BrokerConnection& connection, control::BrokerStatus* broker) {
  for (const protocol::ApiSpec& spec : protocol::kApis) {
    const std::optional<int16_t> version = connection.VersionOf(spec.api);
    if (version) (*broker->mutable_versions())[std::string(spec.name)] = *version;
  }
  broker->set_message_format(protocol::ChooseMessageFormat(connection.VersionOf(Api::kProduce).value_or(0)));
}

}  // namespace

Cluster::Cluster(EventLoop& loop, const KafkaConfig& config, Memory& memory, ClusterCallbacks callbacks)
    : loop_(loop),
      config_(config),
      tls_(config.UsesTls() ? std::make_unique<TlsContext>(config.tls) : nullptr),
      settings_{.client_id = config.client_id, .request_timeout_ms = config.request_timeout_ms, .tls = tls_.get(),
                .sasl = config.UsesSasl() ? &config_.sasl : nullptr},
      memory_(memory),
      callbacks_(std::move(callbacks)),
      creation_(config),
      tick_(loop, [this] { Tick(); }),
      random_(std::random_device{}()) {
  FindStoredProducerId();
  tick_.StartOnce(0);
}

std::unique_ptr<BrokerConnection> Cluster::MakeConnection(const HostPort& address, const std::string& name,
                                                          size_t most_exchanges) {
  auto connection = std::make_unique<BrokerConnection>(loop_, settings_, negotiations_, address, most_exchanges);
  connection->on_up = [this, name, where = ShowAddress(address), raw = connection.get()] {
    const std::string old = raw->IsIdempotent() ? "" : fmt::format(", older than Kafka 0.11: {}", DescribeWithoutSequences(config_));
    LogInfo("{} {}: connected{}", name, where, old);
    refusals_.NoteAccepted(raw->address());
    tick_.StartOnce(0);
    if (raw != bootstrap_.get()) AskClusterId(*raw);
    callbacks_.on_broker_ready();
  };
  connection->on_down = [this, name, where = ShowAddress(address), raw = connection.get()](const Status& why) {
    if (std::has_single_bit(raw->failures())) {  // the 1st, 2nd, 4th, 8th in a row ...
      LogWarning("{} {}: {} (failure {})", name, where, why.message(), raw->failures());
    }
    refusals_.NoteEnd(raw->address(), raw->refused(), why.message(), MonotonicMs());
    RefreshMetadata();
    callbacks_.on_broker_ready();
  };
  connection->on_room = [this, raw = connection.get()] { callbacks_.on_room(*raw); };
  connection->on_throttle = [this, raw = connection.get()](int64_t ms) { SpareBroker(raw, ms); };
  return connection;
}

std::vector<BrokerConnection*> Cluster::ListUp() const {
  std::vector<BrokerConnection*> up;
  for (const auto& [id, known] : brokers_) {
    if (known.connection != nullptr && known.connection->up()) up.push_back(known.connection.get());
  }
  if (up.empty() && bootstrap_ != nullptr && bootstrap_->up()) up.push_back(bootstrap_.get());
  return up;
}

// Any broker that is up, in turn, so that one which never answers is not asked for ever; one that owes
// no answer where there is one. `idempotent`: one that can give a producer id.
BrokerConnection* Cluster::FindUp(bool idempotent) {
  std::vector<BrokerConnection*> up = ListUp();
  std::erase_if(up, [&](const BrokerConnection* c) {
    return !c->HasRoom() || (idempotent && !(c->IsIdempotent() && IsOfThisCluster(*c)));
  });
  const auto owes_nothing = [](const BrokerConnection* connection) { return connection->in_flight() == 0; };
  const auto busy = std::stable_partition(up.begin(), up.end(), owes_nothing);
  if (busy != up.begin()) up.erase(busy, up.end());
  return up.empty() ? nullptr : up[next_broker_++ % up.size()];
}

// Not while all brokers that are up are too old to give one.
bool Cluster::NeedsProducerId() const {
  if (producer_index_ >= 0) return false;
  const std::vector<BrokerConnection*> up = ListUp();
  return up.empty() || std::any_of(up.begin(), up.end(), [](const BrokerConnection* c) { return c->IsIdempotent(); });
}

void Cluster::RefreshMetadata() {
  metadata_due_ms_ = std::min(metadata_due_ms_, MonotonicMs());
  WakeForMetadata();
}

void Cluster::RefreshUnresolved(int64_t within_ms) {
  unresolved_due_ms_ = std::min(unresolved_due_ms_, MonotonicMs() + within_ms);
  if (within_ms == 0) WakeForMetadata();
}

void Cluster::WakeForMetadata() {
  const int64_t wait = std::max<int64_t>(0, metadata_not_before_ms_ - MonotonicMs());
  if (!metadata_under_way_) tick_.StartOnce(wait);
}

// Does what is due: metadata, a producer id, a connection to ask for them.
void Cluster::Tick() {
  retired_.clear();
  const int64_t now = MonotonicMs();
  RetireIdleSuspects(now);
  DropUnlisted();
  const bool metadata_due = !metadata_under_way_ && now >= MetadataDueMs();
  const bool wants_metadata = metadata_due && now >= metadata_not_before_ms_;
  const bool wants_id = NeedsProducerId() && !producer_id_under_way_ && now >= producer_id_not_before_ms_;
  if (wants_metadata || wants_id) {
    BrokerConnection* connection = FindUp(false);
    if (connection == nullptr) ReconnectOrBootstrap();
    BrokerConnection* const giver = wants_id && metadata_known_ ? FindUp(true) : nullptr;
    if (giver != nullptr) RequestProducerId(*giver);
    if (wants_metadata && connection != nullptr && connection->HasRoom()) RequestMetadata(*connection);
  }
  tick_.StartOnce(metadata_due || NeedsProducerId() ? kTickMs : std::clamp<int64_t>(MetadataDueMs() - now, kTickMs, kIdleTickMs));
}

// What may be created is asked for by itself, in turn with what else is asked for: a request allows the creation
// of all its topics, or of none. Before Metadata 4 it can't say.
std::vector<std::string> Cluster::ChooseToCreate(const BrokerConnection& connection) {
  const bool can_say = connection.VersionOf(Api::kMetadata).value_or(0) >= protocol::kFirstMetadataWithCreation;
  if (asked_to_create_ || !can_say) return {};
  return creation_.Choose(callbacks_.list_missing(), MonotonicMs());
}

void Cluster::RequestMetadata(BrokerConnection& connection) {
  if (!connection.VersionOf(Api::kMetadata)) {
    connection.Close(Status::Error("it offers no version of Metadata that we speak"));
    return;
  }
  std::vector<std::string> names = ChooseToCreate(connection);
  asked_to_create_ = !names.empty();
  const bool all = !asked_to_create_ && MonotonicMs() >= metadata_due_ms_;
  if (!asked_to_create_ && !all) names = callbacks_.list_unresolved();
  // Metadata 0 has no word for no topic at all.
  if (names.empty()) names = callbacks_.list_topics();
  protocol::MetadataRequest request;
  request.topics.assign(names.begin(), names.end());
  request.allow_auto_topic_creation = asked_to_create_;
  const protocol::RequestHeader header = connection.NextHeader(Api::kMetadata);
  metadata_under_way_ = true;
  // A wish that comes while this is under way is a new one.
  if (all) metadata_due_ms_ = INT64_MAX;
  unresolved_due_ms_ = asked_to_create_ ? MonotonicMs() : INT64_MAX;
  connection.Exchange(Api::kMetadata, Frame::Of(protocol::EncodeMetadataRequest(header, request)),
                      [this, &connection, version = header.version](const Answer& answer) {
                        OnMetadata(connection, version, answer);
                      });
}

// Nothing that could be used.
void Cluster::OnNoMetadata(const Status& why) {
  metadata_due_ms_ = MonotonicMs();
  metadata_not_before_ms_ = metadata_due_ms_ + ChooseDelayMs(kMetadataBackoff, ++metadata_failures_, random_());
  if (std::has_single_bit(metadata_failures_)) LogWarning("metadata: {}", why.message());
  tick_.StartOnce(kTickMs);
}

void Cluster::OnMetadata(BrokerConnection& connection, int16_t version, const Answer& answer) {
  metadata_under_way_ = false;
  const int64_t now = MonotonicMs();
  const Result<protocol::MetadataResponse> metadata =
      answer.body.ok() ? protocol::DecodeMetadataResponse(version, answer.body.value()) : answer.body.status();
  if (!metadata.ok()) {
    OnNoMetadata(metadata.status());
    if (answer.end == Answer::End::kAnswered) connection.Close(metadata.status().Context("Metadata"));
    return;
  }
  connection.NoteThrottle(Api::kMetadata, version, metadata.value().throttle_time_ms);
  if (const int16_t code = metadata.value().error_code; code != protocol::error::kNone) {
    if (code == protocol::error::kRebootstrapRequired) ForgetBrokers();
    return OnNoMetadata(Status::Error(std::string(protocol::FindErrorCode(code).name)));
  }
  if (metadata.value().brokers.empty()) {  // Kafka 0.8 lists none until the first topic exists
    return OnNoMetadata(Status::Error("the broker lists no brokers"));
  }
  metadata_not_before_ms_ = now + ChooseDelayMs(kMetadataBackoff, 1, random_());
  metadata_known_ = true;
  metadata_due_ms_ = std::min(metadata_due_ms_, now + config_.metadata_refresh_ms);
  if (SaysClusterId(connection)) connection.NoteClusterId(metadata.value().cluster_id);
  AdoptBrokers(metadata.value());
  callbacks_.on_metadata(metadata.value());
  DropUnlisted();
  // An answer that asks for the next one (no leader yet, an unknown topic) slows the asking down.
  metadata_failures_ = MetadataDueMs() <= now ? metadata_failures_ + 1 : 0;
  metadata_not_before_ms_ = now + ChooseDelayMs(kMetadataBackoff, std::max(metadata_failures_, 1u), random_());
  tick_.StartOnce(kTickMs);
}

// ---- the producer id ---------------------------------------------------------------------------

void Cluster::FindStoredProducerId() {
  const uint64_t count = shm::Load(memory_.producer_ids->count);
  if (count > 0) producer_index_ = static_cast<int>(count) - 1;
}

void Cluster::RenewProducerId(int producer_index) {
  if (producer_index != producer_index_) return;
  producer_index_ = -1;
  tick_.StartOnce(0);
}

void Cluster::RequestProducerId(BrokerConnection& connection) {
  producer_id_under_way_ = true;
  const protocol::RequestHeader header = connection.NextHeader(Api::kInitProducerId);
  connection.Exchange(Api::kInitProducerId, Frame::Of(protocol::EncodeInitProducerIdRequest(header, {})),
                      [this, &connection, used = header.version](const Answer& answer) {
                        OnProducerId(connection, used, answer);
                      });
}

void Cluster::OnProducerId(BrokerConnection& connection, int16_t version, const Answer& answer) {
  producer_id_under_way_ = false;
  const Result<ByteSpan>& body = answer.body;
  const auto response = body.ok() ? protocol::DecodeInitProducerIdResponse(version, body.value())
                                  : Result<protocol::InitProducerIdResponse>(body.status());
  if (!response.ok()) {
    OnNoProducerId(response.status().message(), false);
    if (answer.end == Answer::End::kAnswered) connection.Close(response.status().Context("InitProducerId"));
    return;
  }
  const protocol::ErrorCode& error = protocol::FindErrorCode(response.value().error_code);
  // Noise of this length can be read, too: half of all throttle times in it are days.
  if (&error != &protocol::kUnlistedErrorCode) {
    connection.NoteThrottle(Api::kInitProducerId, version, response.value().throttle_time_ms);
  }
  if (error.code != protocol::error::kNone) {
    return OnNoProducerId(error.name, error.in_log == protocol::InLog::kNoChange);  // not one that time mends
  }
  producer_id_failures_ = 0;
  producer_id_refused_ = false;
  producer_id_trouble_.clear();
  if (!IsOfThisCluster(connection)) return;  // that is another one by now
  StoreProducerId(response.value().producer_id, response.value().producer_epoch);
  callbacks_.on_producer_id();
}

void Cluster::OnNoProducerId(std::string_view why, bool refused) {
  const bool news = refused && !producer_id_refused_;
  producer_id_refused_ |= refused;  // and so until there is one
  const std::string fate = producer_id_refused_ ? fmt::format("; {}", DescribeWithoutSequences(config_)) : "";
  producer_id_trouble_ = fmt::format("no producer id: {}{}", why, fate);
  if (std::has_single_bit(++producer_id_failures_) || news) LogWarning("{}", producer_id_trouble_);
  const BackoffRange& backoff = producer_id_refused_ ? kRefusedBackoff : kMetadataBackoff;
  producer_id_not_before_ms_ = MonotonicMs() + ChooseDelayMs(backoff, producer_id_failures_, random_());
  if (news) callbacks_.on_producer_id();
}

bool Cluster::IsStillSent(uint64_t producer_number) const {
  for (shm::BatchId id = 0; id < memory_.pool.block_count(); ++id) {
    const shm::BatchDescriptor& batch = memory_.pool.descriptor(id);
    if (static_cast<shm::BatchState>(batch.word.state) == shm::BatchState::kSent &&
        batch.producer_index == static_cast<uint16_t>(producer_number)) {
      return true;
    }
  }
  return false;
}

// The entry is whole before the count makes it the one in use. The table is a ring of the last ones:
// an older id is still needed only while a batch of it is SENT.
void Cluster::StoreProducerId(int64_t id, int16_t epoch) {
  const uint64_t count = shm::Load(memory_.producer_ids->count);
  if (count >= shm::kProducerIdRoom && IsStillSent(count - shm::kProducerIdRoom)) {
    LogError("no room for producer id {}: batches of the oldest one are not settled yet", id);
    producer_id_not_before_ms_ = MonotonicMs() + kIdleTickMs;
    return;
  }
  shm::ProducerId& entry = memory_.ProducerOf(count);
  const size_t size = std::min(cluster_id_.size(), sizeof(entry.cluster_id));
  shm::Store(entry.id, id);
  shm::Store(entry.epoch, epoch);
  shm::Store(entry.cluster_id_size, static_cast<uint32_t>(size));
  shm::Copy(entry.cluster_id, cluster_id_.data(), size);
  DORY_CRASH_POINT("start.producer_id_stored");
  shm::Store(memory_.producer_ids->count, count + 1);
  DORY_CRASH_POINT("start.producer_id_published");
  producer_index_ = static_cast<int>(count);
  LogInfo("producer id {} epoch {}", id, epoch);
}

void Cluster::FillStatus(control::WorkerStatus* status) const {
  static constexpr const char* kStates[] = {"down", "connecting", "negotiating", "authenticating", "up"};
  const int64_t now = MonotonicMs();
  const auto add = [&](int32_t id, const HostPort& address, const BrokerConnection* connection, bool suspects) {
    control::BrokerStatus* broker = status->add_brokers();
    broker->set_id(id);
    broker->set_address(ShowAddress(address));
    broker->set_state("idle");
    broker->set_suspects(suspects);
    if (connection == nullptr) return;
    broker->set_state(connection->in_backoff(now) ? "backoff" : kStates[static_cast<size_t>(connection->state())]);
    if (connection->up() && connection->held()) broker->set_state("throttled");
    if (!connection->up() && refusals_.Of(address).Stands()) broker->set_state("refused");
    broker->set_requests(connection->requests());
    if (connection->up()) FillVersions(*connection, broker);
    broker->set_in_flight(static_cast<uint32_t>(connection->in_flight()));
    const std::string refused = refusals_.WhyOf(address);  // of the connection before this one, too
    const std::string& trouble = refused.empty() ? connection->trouble() : refused;
    if (!trouble.empty()) status->add_warnings(ShowAddress(address) + ": " + trouble);
  };
  for (const auto& [id, known] : brokers_) {
    add(id, known.address, known.connection.get(), false);
    if (known.suspects != nullptr) add(id, known.address, known.suspects.get(), true);
  }
  if (bootstrap_ != nullptr) add(-1, bootstrap_->address(), bootstrap_.get(), false);
  if (tls_ != nullptr && !tls_->trouble().empty()) status->add_warnings(tls_->trouble());
  for (const BrokerConnection* connection : ListUp()) {
    if (connection->IsIdempotent()) continue;
    status->add_warnings("broker " + ShowAddress(connection->address()) +
                         " is older than Kafka 0.11: " + std::string(DescribeWithoutSequences(config_)) +
                         (config_.idempotence == Idempotence::kRequired ? "" : "; headers are left out"));
  }
  if (!producer_id_trouble_.empty()) status->add_warnings(producer_id_trouble_);
  if (producer_index_ >= 0) status->set_producer_id(memory_.ProducerOf(static_cast<uint64_t>(producer_index_)).id);
}

}  // namespace dory::kafka
