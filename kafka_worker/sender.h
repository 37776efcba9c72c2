// C6 to C8: due batches take a partition and a sequence, become SENT, and go to the socket.
//
// Order: at most one batch of a partition is SENT or ACKED; the partition's sequence is fixed before the
//   state says SENT, and the state says SENT before the first byte goes to the kernel (C7, C8).
//   A suspect partition's batch goes alone, over the broker's connection for suspects, whose turn is by
//   who has waited longest, and takes of AnyPartition batches only a probe now and then.
//   A topic whose records are encoded anew (compressed, or for a broker older than 0.11) waits while [kafka]
//   in_flight_bytes of such are not written yet; those that wait for this go on in the order in which they
//   came.
//   A batch goes under a producer id where its first broker has the idempotent producer, gives us an id and the
//   topic's message format has sequences, and stays so. Where not, [kafka] idempotence lets it wait, or each
//   repetition after an unknown outcome is counted as possible duplicates before it is written.
// On crash: a SENT batch is sent again, the same window with the same sequence; an OPEN one that C6 had
//   written to has no partition and no sequence yet.
// Errors: none; what cannot go now stays where it is until the topic is marked dirty again: by an alarm
//   where time alone is missing (not due, a back-off), else by what it waits for (leader, room on the
//   connection, producer id).

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "kafka_worker/chunks.h"
#include "kafka_worker/cluster.h"
#include "kafka_worker/compressor.h"
#include "kafka_worker/memory.h"
#include "kafka_worker/protocol/produce.h"
#include "kafka_worker/sent_batch.h"
#include "kafka_worker/topics.h"

namespace dory::kafka {

inline bool IsCompressed(const Topic& topic) {
  return topic.config.compression != Compression::kNone && !topic.codec_refused;
}

// In which version of Produce this broker can be told of topics, whose ids are known or not; none: in none.
inline std::optional<int16_t> ChooseProduceVersion(const BrokerConnection& connection, bool ids_known) {
  return connection.VersionOf(protocol::Api::kProduce,
                              ids_known ? int16_t{INT16_MAX} : int16_t{protocol::kFirstProduceById - 1});
}

class Sender {
 public:
  // What came of a produce request. `version` is the request's.
  using OnAnswer = std::function<void(BrokerConnection& connection, const std::vector<SentBatch>& batches,
                                      int16_t version, const Answer& answer)>;

  struct Callbacks {
    OnAnswer on_answer;
    // These are not sent: a batch that would be encoded anew, whose records are not what they were; one with a
    // sequence, whose leader is now a broker that knows no sequences; and one of unknown outcome, whose
    // leader may have forgotten the sequence, or has a new log, and was not asked yet; one under a producer id of
    // another cluster; and one of a partition that its topic no longer has.
    std::function<void(const SentBatch& batch)> on_corrupt;
    std::function<void(const SentBatch& batch)> on_sequence_unknown;
    std::function<void(const SentBatch& batch)> on_maybe_forgotten;
    std::function<void(const SentBatch& batch)> on_other_cluster;
    std::function<void(const SentBatch& batch)> on_partition_gone;
  };

  // `chunks` outlives every connection.
  Sender(Memory& memory, TopicTable& topics, Cluster& cluster, ChunkStore& chunks, const KafkaConfig& config,
         Callbacks callbacks);
  ~Sender();

  // Sends what can be sent of the dirty topics.
  void Dispatch(const DueRule& rule, int64_t now_ms);

  // The connection can take a request again: marks the topics dirty that wait for that.
  void OnRoom(const BrokerConnection& connection);

 private:
  struct Load {
    std::vector<SentBatch> batches;
    uint64_t bytes = 0;
    int64_t timeout_ms = 0;  // what the broker may take
  };
  enum class Sequencing { kWith, kWithout, kWait };
  using Loads = std::map<BrokerConnection*, Load>;

  // What may go to a partition, and the queue it stands in; none: it is the partition's `batch`.
  struct Pick {
    BatchId batch = shm::kNoIndex;
    BatchQueue* from = nullptr;
  };

  // A suspect partition that could send.
  struct Candidate {
    Topic* topic;
    size_t index;
    int64_t attempted_ms;
  };

  // One dispatch; the last two are of the topic at hand.
  struct Turn {
    const DueRule& rule;
    int64_t now_ms;
    Loads loads;
    std::vector<Candidate> suspects;
    uint64_t to_encode = 0;             // bytes of records
    int64_t look_again_ms = INT64_MAX;  // when time alone will have changed something
    bool has_healthy = false;           // a partition with a leader that is not suspect
  };

  void AssignTopic(Topic& topic, Turn* turn);
  bool MayNeedIdle(Topic& topic, Turn* turn) const;
  void AssignToAll(Topic& topic, Turn* turn);
  void LookAt(Topic& topic, size_t index, Turn* turn);
  void AssignPartition(Topic& topic, size_t index, Turn* turn);
  void AssignSuspects(Turn* turn);
  void Assign(Topic& topic, size_t index, BatchId batch, BatchQueue* from, BrokerConnection* connection, Turn* turn);
  BrokerConnection* FindRoom(Topic& topic, const Partition& partition, Turn* turn);
  bool CanName(const Topic& topic, const BrokerConnection& connection);
  bool MayTakeAny(const Partition& partition, Turn* turn) const;
  bool MayEncode(Topic& topic, const BrokerConnection& connection, Turn* turn);
  void OnChunkRoom();
  bool IsForeign(const Partition& partition) const;
  bool HasToAsk(const Topic& topic, const Partition& partition, const BrokerConnection& connection,
                const Turn& turn) const;
  void Consider(const Topic& topic, BatchQueue* queue, Turn* turn, Pick* pick) const;
  Pick PickBatch(Topic& topic, size_t index, Turn* turn) const;
  Sequencing ChooseSequencing(const Topic& topic, const BrokerConnection& connection, int64_t now_ms) const;
  bool PrepareFirstSend(Topic& topic, int32_t number, BatchId batch, Sequencing sequencing, int64_t now_ns);
  void NoteLog(shm::PartitionRow* row, const protocol::TopicId& id) const;
  bool TakeSequence(shm::PartitionRow* row, int producer, uint64_t count, shm::SequenceWord* taken);

  // lost_partitions.cc
  void EmptyLost(Topic& topic);
  void MoveQueue(Topic& topic, BatchQueue Partition::*queue, size_t from);

  // sender_encode.cc
  void SendLoad(BrokerConnection& connection, Load load);
  void LeaveOut(int8_t format, std::vector<SentBatch>* batches);
  std::vector<ByteSpan>& BeginSpans();
  void AddBatch(SentBatch* sent, int16_t version, Frame* frame);
  void AddRecords(SentBatch* sent, int16_t version, Frame* frame);
  void AddMessages(SentBatch* sent, int16_t version, Frame* frame);
  bool LeavesHeaders(const SentBatch& sent) const;
  void AddWindow(BatchId batch, bool with_headers, Frame* frame, protocol::BatchHeader* header);
  bool CompressRecords(const SentBatch& sent, int16_t version, Frame* frame, protocol::BatchHeader* header);
  bool Compress(const SentBatch& sent, int16_t version, Compression codec, size_t size,
                std::span<const ByteSpan> spans, ChunkedBytes* out);
  Compression ChooseCodec(const SentBatch& sent, int16_t version, size_t size) const;

  Memory& memory_;
  TopicTable& topics_;
  Cluster& cluster_;
  ChunkStore& chunks_;
  KafkaConfig config_;
  Callbacks callbacks_;
  protocol::ProduceEncoder encoder_;
  Compressor compressor_;
  std::map<const BrokerConnection*, std::vector<Topic*>> waiters_;  // for room on it, the first come first
  std::vector<Topic*> without_room_;  // wait for in_flight_bytes, the first come first
  std::vector<std::vector<ByteSpan>> spans_;  // of each batch of the request at hand: so many; their memory is kept
  size_t span_lists_ = 0;
};

}  // namespace dory::kafka
