// dory-kafka: ring -> batches -> brokers. Started by dory, never by hand.

#include <csignal>
#include <cstdlib>

#include "common/log.h"
#include "common/worker_context.h"
#include "kafka_worker/kafka_worker.h"
#include "kafka_worker/tls_identity.h"

int main() {
  dory::kafka::UseWipedTlsMemory();
  const std::unique_ptr<dory::WorkerContext> context = dory::BeginWorker("kafka", SIGKILL, dory::shm::kLayoutNumber);
  dory::Result<dory::shm::Segment> segment =
      dory::shm::Segment::Map(context->Descriptor("segment"), dory::shm::Role::kKafka, context->lane);
  if (!segment.ok()) {
    dory::LogError("segment: {}", segment.status().message());
    return dory::kExitSegment;
  }
  dory::kafka::KafkaWorker worker(*context, segment.value());
  worker.Run();
  return EXIT_SUCCESS;
}
