// The cluster as this worker knows it: its brokers and their connections, metadata, the producer id.
//
// One connection a broker, made when somebody needs it; beside it, while there are any, one for suspect
// partitions (suspicion.h), whose slow answers so hold up nobody else. Until the first metadata, and
// whenever no known broker is up, the bootstrap list is tried in turn; a bootstrap connection goes once
// metadata has come by it, since its address need not be the one that brokers advertise. Another cluster may
// answer under the same addresses: each connection's broker is asked which one it is of, and gets no batch
// before it has said so. Where the cluster is another one than it was, a new producer id is asked for.
// Errors: all are retried with back-off; nothing here gives up.

#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/config.h"
#include "common/event_loop.h"
#include "kafka_worker/broker_connection.h"
#include "kafka_worker/memory.h"
#include "kafka_worker/protocol/metadata.h"
#include "kafka_worker/refusal.h"
#include "kafka_worker/topic_creation.h"

namespace dory::control {
class WorkerStatus;
}

namespace dory::kafka {

// What becomes of batches that can't have a sequence.
constexpr std::string_view DescribeWithoutSequences(const KafkaConfig& config) {
  return config.idempotence == Idempotence::kRequired ? "messages wait, since [kafka] idempotence = required"
                                                      : "at least once, possible duplicates are counted";
}

struct ClusterCallbacks {
  std::function<std::vector<std::string>()> list_topics;  // those in use
  std::function<std::vector<std::string>()> list_unresolved;  // of them those of which metadata lacks something
  std::function<std::vector<std::string>()> list_missing;     // and those that brokers do not have
  std::function<std::set<int32_t>()> list_leaders;         // of all their partitions
  std::function<void(const protocol::MetadataResponse&)> on_metadata;
  std::function<void()> on_other_cluster;  // before that: what is known of topics is another cluster's
  std::function<void()> on_producer_id;   // there is one, or brokers refuse it
  std::function<void()> on_broker_ready;  // a connection came up or went down
  std::function<void(const BrokerConnection& connection)> on_room;  // it has room again, or is given up
};

class Cluster {
 public:
  Cluster(EventLoop& loop, const KafkaConfig& config, Memory& memory, ClusterCallbacks callbacks);

  // Metadata of all topics soon: at once, or when the back-off since the last request has passed.
  void RefreshMetadata();
  // Likewise of those that are unresolved, in so many ms: what nobody can tell yet does not make the others be asked
  // for again and again.
  void RefreshUnresolved(int64_t within_ms);

  // The connection to a broker; made, and told to connect, where it is not. Null: no such broker.
  BrokerConnection* Broker(int32_t id);

  // Likewise the second one, for suspect partitions: one request at a time. It goes when nobody has
  // asked for it for a while.
  BrokerConnection* SuspectBroker(int32_t id);

  // A leader that an answer names, and where it is: as if by metadata.
  void LearnBroker(int32_t id, const HostPort& address);
  bool Knows(int32_t id) const { return brokers_.contains(id); }

  // How this broker refuses us over TLS or SASL, on the connection for suspect partitions or the other one.
  Refusal RefusalOf(int32_t id, bool suspect) const;
  // Likewise all that could tell of a topic: the bootstrap list, and the brokers that metadata has named.
  Refusal RefusalOfAll() const;
  bool IsAnyRefusing() const { return !refusals_.empty(); }

  // Grows with each window that this broker acknowledges, also where it was not known meanwhile; and one more.
  uint64_t LastAcknowledged(int32_t id) const;
  void NoteAcknowledged(int32_t id);

  // The producer id for new batches: an index into the segment's producer ids; none yet: -1.
  int ProducerIndex() const { return producer_index_; }

  // There is none, and not for want of a broker that answers: we may have none, or it can't give any.
  bool IsProducerIdRefused() const { return producer_index_ < 0 && producer_id_refused_; }

  // Whether another cluster gave it: a sequence under it says nothing here.
  bool IsForeign(int producer_index) const;

  // Whether this cluster is known to have given it.
  bool IsOurOwn(int producer_index) const;

  // Whether batches may go there: its broker has said that it is of the cluster that metadata speaks of. One
  // without producer ids need not say it. REQUIRES: it is up.
  bool IsOfThisCluster(const BrokerConnection& connection) const;

  // Somebody else uses this one, or its epochs are used up. Nothing to do where there is a newer one.
  void RenewProducerId(int producer_index);

  void FillStatus(control::WorkerStatus* status) const;

 private:
  struct Known {
    HostPort address;
    std::unique_ptr<BrokerConnection> connection;
    std::unique_ptr<BrokerConnection> suspects;
    int64_t suspects_asked_ms = 0;  // when somebody wanted that one
    uint64_t last_acknowledged = 0;
    bool listed = false;  // by the newest metadata
  };

  std::unique_ptr<BrokerConnection> MakeConnection(const HostPort& address, const std::string& name,
                                                   size_t most_exchanges = kMaxExchanges);
  std::vector<BrokerConnection*> ListUp() const;
  BrokerConnection* FindUp(bool idempotent);
  void Tick();
  int64_t MetadataDueMs() const { return std::min(metadata_due_ms_, unresolved_due_ms_); }
  void WakeForMetadata();
  void RequestMetadata(BrokerConnection& connection);
  std::vector<std::string> ChooseToCreate(const BrokerConnection& connection);
  void OnMetadata(BrokerConnection& connection, int16_t version, const Answer& answer);
  void OnNoMetadata(const Status& why);

  // known_brokers.cc
  void SpareBroker(const BrokerConnection* throttled, int64_t ms);
  bool IsAnySpared() const;
  void Reconnect(int64_t now_ms);
  void ReconnectOrBootstrap();
  void AdoptBrokers(const protocol::MetadataResponse& metadata);
  void SetAddress(Known& known, const HostPort& address);
  void DropUnlisted();
  void ForgetOldAddresses();
  void ForgetBrokers();
  void RetireIdleSuspects(int64_t now_ms);
  void RetireBoth(Known& known, const char* why);
  void Retire(std::unique_ptr<BrokerConnection> connection, const char* why);

  // cluster_id.cc
  static bool SaysClusterId(const BrokerConnection& connection);
  void AskClusterId(BrokerConnection& connection);
  void OnClusterId(BrokerConnection& connection, int16_t version, const Answer& answer);
  void AdoptClusterId(const std::string& id);

  void RequestProducerId(BrokerConnection& connection);
  void OnProducerId(BrokerConnection& connection, int16_t version, const Answer& answer);
  void OnNoProducerId(std::string_view why, bool refused);
  void StoreProducerId(int64_t id, int16_t epoch);
  void FindStoredProducerId();
  bool IsStillSent(uint64_t producer_number) const;
  bool NeedsProducerId() const;

  EventLoop& loop_;
  KafkaConfig config_;
  std::unique_ptr<TlsContext> tls_;  // null: without TLS
  ConnectionSettings settings_;
  Memory& memory_;
  ClusterCallbacks callbacks_;
  TopicCreation creation_;
  bool asked_to_create_ = false;  // by the last request for metadata
  NegotiationMemory negotiations_;
  RefusalMemory refusals_;
  std::map<int32_t, Known> brokers_;
  uint64_t acknowledged_ = 0;       // windows, by all of them
  bool has_old_addresses_ = false;  // some that nobody has any more
  int32_t tried_last_ = -1;         // of those that are tried in turn, and the time of the next turn
  int64_t tries_not_before_ms_ = 0;
  std::unique_ptr<BrokerConnection> bootstrap_;
  std::vector<std::unique_ptr<BrokerConnection>> retired_;  // one of them may be in its callback
  size_t next_bootstrap_ = 0;
  size_t next_broker_ = 0;
  std::string cluster_id_;
  Timer tick_;
  int64_t metadata_due_ms_ = 0;               // of all topics
  int64_t unresolved_due_ms_ = INT64_MAX;
  int64_t metadata_not_before_ms_ = 0;
  uint32_t metadata_failures_ = 0;
  bool metadata_under_way_ = false;
  bool metadata_known_ = false;
  int producer_index_ = -1;
  bool producer_id_under_way_ = false;
  int64_t producer_id_not_before_ms_ = 0;
  uint32_t producer_id_failures_ = 0;
  bool producer_id_refused_ = false;
  std::string producer_id_trouble_;  // why there is none, for the status
  std::minstd_rand random_;
};

}  // namespace dory::kafka
