// A broker that plays what a test scripts, in the test's own event loop, over a real socket.
//
// Without a script it is an idempotent leader as Kafka's are: it knows the last five batches of the
// producer, answers a repeated one as before, and takes no sequence out of order. Its log holds values.

#pragma once

#include <sys/socket.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/event_loop.h"
#include "common/file_descriptor.h"
#include "kafka_worker/protocol/wire.h"
#include "tests/support/fake_log.h"
#include "tests/unit/kafka_worker/fake_leader.h"
#include "tests/unit/kafka_worker/fake_metadata.h"
#include "tests/unit/kafka_worker/fake_step.h"
#include "tests/unit/kafka_worker/seen_batch.h"

namespace dory::kafka {

class FakeBroker {
 public:
  // Without `listens` it is down: connections are refused until Listen().
  explicit FakeBroker(EventLoop& loop, bool listens = true, int family = AF_INET);
  void Listen();
  // As if it had died.
  void Stop();
  uint16_t port() const { return port_; }

  // ---- what a test sets
  std::map<std::string, int32_t> topics;            // and their partitions; others are unknown
  std::map<int32_t, std::deque<Step>> script;       // by partition: for its next batches
  std::map<std::string, int16_t> topic_errors;      // that Metadata says of them, and nothing else
  std::map<int32_t, int16_t> always;                // by partition: what it answers whatever comes
  std::set<std::string> refused;                    // values that no log takes,
  std::set<std::string> poison;                     // that make the server fail (-1),
  std::set<std::string> cut;                        // and at which the connection is cut
  std::set<int32_t> stuck;                          // partitions: Produce of them gets no answer until GoOn()
  int32_t throttle_ms = 0;                          // told with the next Produce answer
  size_t most_records = SIZE_MAX;                   // a batch, else 10
  int16_t produce_version = 8;                      // the newest that is offered
  int16_t produce_version_lowest = 0;
  int16_t metadata_version = 2;                     // likewise the newest
  int16_t api_versions_version = 4;
  int16_t metadata_error = 0;                       // of the whole answer; from 13 on
  std::map<std::string, protocol::TopicId> ids;     // of topics; told from Metadata 10 on
  int16_t init_producer_id_version = 1;             // the newest that is offered; -1: none
  int16_t init_producer_id_code = 0;                // what it answers then
  bool without_sequences = false;                   // its topics' message format is too old for them, and for headers
  bool offers_fetch = false;                        // and ListOffsets, in versions 11 and 5;
  bool offers_describe_producers = false;
  enum class Fetched { kAnswered, kCut, kTooLarge } fetched = Fetched::kAnswered;  // what comes of a Fetch
  tests::FakeLog offsets;                           // what these say; `log` has the values
  bool takes_any_sequence = false;                  // of a producer that it does not know, as Kafka from 2.5 on
  std::optional<int16_t> sasl_code;                 // it wants SASL: how it answers to who we are
  std::string cluster_id = "cluster";               // told from Metadata 2 on
  bool knows_api_versions = true;                   // else it closes the connection, as Kafka 0.8 and 0.9 do
  int32_t leader = 1;                               // of all partitions; this broker is 1 (or 2),
  int32_t broker_id = 1;
  std::set<int32_t> leaderless;                     // of partitions, whatever `leader` is
  uint16_t other_port = 0;                          // and at this port is the other, where there is one
  int32_t replicas = 0;                             // of each partition, as Metadata says
  bool creates = false;                             // topics, with 2 partitions, where a request allows it
  uint16_t hinted_port = 0;                         // of any other broker that a Step names as the leader
  int64_t next_producer_id = 1000;
  bool holds = false;                               // serves no Produce until GoOn()
  bool takes_damaged = false;                       // batches, without a failure of the test; answers 2

  // ---- what a test sees
  std::map<int32_t, std::vector<std::string>> log;  // by partition
  std::map<int32_t, std::vector<SeenBatch>> seen;   // everything that came, by partition
  size_t empty_produces = 0;
  size_t metadata_requests = 0;
  std::vector<AskedMetadata> asked_metadata;        // all of them
  std::vector<int16_t> asked_versions;              // the versions in which ApiVersions came
  size_t api_versions_requests = 0;
  size_t connections = 0;
  size_t early_requests = 0;  // before the end of a throttle time that it told

  std::vector<std::string> All() const;
  // Serves what has come while it held still.
  void GoOn();
  void ForgetProducers() { leaders_.clear(); }
  // The producer's state of a partition, as if so many records had come before.
  void SetSequence(int32_t partition, int64_t id, int16_t epoch, int32_t next) {
    leaders_[partition] = {id, epoch, next, {}};
  }

 private:
  using Bytes = protocol::Bytes;

  struct Client {
    FileDescriptor fd;
    std::unique_ptr<IoWatcher> watcher;
    Bytes input;
    Bytes output;  // what the socket did not take
    size_t number = 0;
  };

  void Accept();
  void Cut(Client& client);
  void OnReadable(Client& client);
  void Serve(Client& client);

  // Whether it is a Produce with a partition that is stuck.
  bool IsStuck(const Bytes& frame) const;

  // What stands behind a request's header.
  static protocol::Reader OpenBody(const Bytes& frame, bool flexible);

  // Of a topic in a Produce; none: an id that is nobody's.
  std::optional<std::string> ReadName(int16_t version, protocol::Reader* reader) const;

  // False: cut.
  bool Handle(Client& client, const Bytes& frame);

  // False: the other end is gone.
  bool Flush(Client& client);

  // A version that it does not know is refused in the shape of version 0, with what it knows of this api.
  void PutApiVersions(bool refuses, protocol::Writer* writer);
  void PutMetadata(int16_t version, protocol::Reader* reader, protocol::Writer* writer);
  void PutProducerId(protocol::Writer* writer);
  void PutProducers(const tests::LogQuestion& question, protocol::Writer* writer);
  bool PutProduce(int16_t version, size_t connection, protocol::Reader* reader, protocol::Writer* writer);

  // Of the batch that was seen last.
  bool PutVerdict(int16_t version, int32_t partition, protocol::Writer* writer);
  void PutResult(int16_t version, int32_t partition, const Step& step, protocol::Writer* writer);
  int64_t OffsetOf(int32_t partition, const SeenBatch& batch);
  static void PutTag(const Bytes& field, protocol::Writer* writer);

  // Of the leaders that the answer names.
  void PutEndpoints(protocol::Writer* writer);
  void Append(int32_t partition, const SeenBatch& batch);
  static bool HasAny(const SeenBatch& batch, const std::set<std::string>& values);

  // Kafka's checks, in Kafka's order.
  int16_t Judge(int32_t partition, const SeenBatch& batch);

  EventLoop& loop_;
  std::string host_;
  FileDescriptor listener_;
  uint16_t port_ = 0;
  int64_t spared_until_ms_ = 0;
  std::unique_ptr<IoWatcher> accept_;
  std::map<Client*, std::shared_ptr<Client>> clients_;
  std::vector<std::shared_ptr<Client>> retired_;
  std::map<int32_t, FakeLeader> leaders_;
  std::set<int32_t> named_leaders_;  // of the answer at hand
};

}  // namespace dory::kafka
