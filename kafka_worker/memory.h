// What the kafka worker has of the segment: its own regions to write, the intake's to read.

#pragma once

#include "common/bytes.h"
#include "common/discard_log.h"
#include "kafka_worker/receipts.h"
#include "shm/breadcrumb.h"
#include "shm/layout.h"
#include "shm/pool.h"
#include "shm/report_writer.h"
#include "shm/ring_reader.h"
#include "shm/segment.h"

namespace dory::kafka {

// Whether a batch that was sent has a sequence; it has none where its broker has no producer ids.
inline bool HasSequence(const shm::BatchDescriptor& batch) {
  return batch.producer_index != shm::kNoSequence.producer_index;
}

struct Memory {
  Memory(shm::Segment& mapped, uint32_t of_lane)
      : segment(mapped),
        lane(of_lane),
        pool(mapped, of_lane),
        ring(mapped.Get<shm::ProducerPage>(shm::RegionKind::kProducer, of_lane),
             mapped.Bytes(shm::RegionKind::kRing, of_lane)),
        producer(mapped.Get<shm::ProducerPage>(shm::RegionKind::kProducer, of_lane)),
        consumer(mapped.GetWritable<shm::ConsumerPage>(shm::RegionKind::kConsumer, of_lane)),
        books(mapped.GetWritable<shm::KafkaTopicRow>(shm::RegionKind::kKafkaBooks, of_lane)),
        receipts(mapped, of_lane),
        producer_ids(mapped.GetWritable<shm::ProducerIds>(shm::RegionKind::kProducerIds, of_lane)),
        partitions(mapped.GetWritable<shm::PartitionRows>(shm::RegionKind::kPartitions, of_lane)),
        page(mapped.GetWritable<shm::WorkerPage>(shm::RegionKind::kWorkerPage,
                                                 shm::WorkerIndex(shm::Role::kKafka, of_lane))),
        intake_books(mapped.Get<shm::IntakeBooks>(shm::RegionKind::kIntakeBooks, of_lane)),
        report(mapped.WritableBytes(shm::RegionKind::kReport, shm::WorkerIndex(shm::Role::kKafka, of_lane)),
               mapped.geometry().max_topics,
               shm::KafkaCounters(books, intake_books, mapped.geometry().max_topics)) {}

  // The step that is taken next, and of which ring position or batch.
  void Mark(shm::Step step, uint64_t subject) const { shm::LeaveBreadcrumb(page, step, subject); }

  const shm::IntakeTopicRow& TopicRow(uint32_t row) const {
    return reinterpret_cast<const shm::IntakeTopicRow*>(intake_books + 1)[row];
  }

  // The books' row for records whose topic is not known (damaged ones).
  uint32_t NoTopicRow() const { return segment.geometry().max_topics; }

  // The producer id of that number. REQUIRES: it is one of the last kProducerIdRoom.
  shm::ProducerId& ProducerOf(uint64_t number) const {
    return producer_ids->ids[number % shm::kProducerIdRoom];
  }

  // The number by which the discard cell names a counter.
  uint64_t CounterIndex(const uint64_t* counter) const {
    return static_cast<uint64_t>(counter - reinterpret_cast<const uint64_t*>(books));
  }

  shm::Segment& segment;
  uint32_t lane;
  shm::Pool pool;
  shm::RingReader ring;
  const shm::ProducerPage* producer;
  shm::ConsumerPage* consumer;
  shm::KafkaTopicRow* books;
  Receipts receipts;
  shm::ProducerIds* producer_ids;
  shm::PartitionRows* partitions;
  shm::WorkerPage* page;
  const shm::IntakeBooks* intake_books;
  shm::ReportWriter report;  // its windows begin between two turns
  DiscardLog discard_log;    // beside the segment, and no part of it
};

}  // namespace dory::kafka
