// A part of cluster.h: which cluster this is, and what is of another one.
//
// A broker that comes back may be another cluster's: set up anew, or reached by a name that leads elsewhere now.
// It would take our sequences without a word, or, where its own producers have the same ids, for a repetition.

#include <algorithm>
#include <string_view>

#include "common/crash_point.h"
#include "common/log.h"
#include "common/text_check.h"
#include "kafka_worker/cluster.h"
#include "shm/store.h"

namespace dory::kafka {
namespace {

using protocol::Api;

constexpr int16_t kFirstMetadataWithClusterId = 2;

// As far as the segment has room for it.
std::string_view StoredPart(std::string_view id) { return id.substr(0, sizeof(shm::ProducerId::cluster_id)); }

// Both are known, and they differ.
bool Differ(std::string_view a, std::string_view b) { return !a.empty() && !b.empty() && a != b; }

}  // namespace

bool Cluster::IsForeign(int producer_index) const {
  if (DORY_IS_MUTANT("a producer id of another cluster")) return false;
  const shm::ProducerId& entry = memory_.ProducerOf(static_cast<uint64_t>(producer_index));
  const size_t size = std::min<size_t>(entry.cluster_id_size, sizeof(entry.cluster_id));
  return Differ({entry.cluster_id, size}, StoredPart(cluster_id_));
}

bool Cluster::IsOurOwn(int producer_index) const {
  const uint64_t count = shm::Load(memory_.producer_ids->count);
  const auto number = static_cast<uint64_t>(producer_index);
  return number < count && count - number <= shm::kProducerIdRoom && !IsForeign(producer_index);
}

// All that have producer ids can: Kafka 0.11 and newer.
bool Cluster::SaysClusterId(const BrokerConnection& connection) {
  return connection.up() && connection.IsIdempotent() &&
         connection.VersionOf(Api::kMetadata).value_or(0) >= kFirstMetadataWithClusterId;
}

bool Cluster::IsOfThisCluster(const BrokerConnection& connection) const {
  if (!SaysClusterId(connection)) return connection.up();
  return connection.cluster_id().has_value() && !Differ(*connection.cluster_id(), cluster_id_);
}

// By metadata of no topic.
void Cluster::AskClusterId(BrokerConnection& connection) {
  if (!SaysClusterId(connection)) return;
  protocol::MetadataRequest request;
  request.allow_auto_topic_creation = false;
  const protocol::RequestHeader header = connection.NextHeader(Api::kMetadata);
  connection.Exchange(Api::kMetadata, Frame::Of(protocol::EncodeMetadataRequest(header, request)),
                      [this, &connection, version = header.version](const Answer& answer) {
                        OnClusterId(connection, version, answer);
                      });
}

void Cluster::OnClusterId(BrokerConnection& connection, int16_t version, const Answer& answer) {
  if (answer.end != Answer::End::kAnswered) return;  // the next connection is asked
  const Result<protocol::MetadataResponse> metadata =
      answer.body.ok() ? protocol::DecodeMetadataResponse(version, answer.body.value()) : answer.body.status();
  if (!metadata.ok()) return connection.Close(metadata.status().Context("asked for its cluster"));
  connection.NoteThrottle(Api::kMetadata, version, metadata.value().throttle_time_ms);
  if (!connection.up()) return;
  connection.NoteClusterId(metadata.value().cluster_id);
  if (!IsOfThisCluster(connection)) {
    LogWarning("{}: a broker of cluster {}, not of {}", FormatHostPort(connection.address()),
               Quote(metadata.value().cluster_id), Quote(cluster_id_));
    RefreshMetadata();  // says whether they all are
  }
  tick_.StartOnce(0);
  callbacks_.on_broker_ready();
}

// What is SENT under the old producer id is settled where it would go again (Settler::OnOtherCluster).
void Cluster::AdoptClusterId(const std::string& id) {
  if (id.empty() || id == cluster_id_) return;
  LogInfo("cluster id {}", Quote(id));
  const bool was_another = !cluster_id_.empty();
  cluster_id_ = id;
  const bool foreign = producer_index_ >= 0 && IsForeign(producer_index_);
  if (!was_another && !foreign) return;
  LogWarning("this is another cluster than before; a new producer id is asked for");
  if (foreign) RenewProducerId(producer_index_);
  ForgetBrokers();
  RefreshMetadata();  // of all topics, whatever this answer is about
  callbacks_.on_other_cluster();
}

}  // namespace dory::kafka
