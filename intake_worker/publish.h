// Publish (P3 to P6): a burst of one source is decided, once, and its source given back.
//
//     P3  decide each message; write the admitted ones behind tail; fill the stage and its journal
//     P4  store tail; or the word `decided`, where nothing was appended. Decided from here on.
//     P5  counters = journal; Tickets::last; release the source
//     P6  base = tail; decided = 0
//
// Owner: the lane's intake, alone.
// Order: as numbered. The stage means nothing while tail == base and decided == 0. WorkerPage.progress
//   grows between two bursts, so a reader of the books tells one burst from the next.
// On crash: before P4 the burst never was, and its messages are still in their source; from P4 on
//   FinishDecided does P5 and P6 again.

#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "common/config.h"
#include "intake_worker/admit.h"
#include "intake_worker/books_writer.h"
#include "intake_worker/burst.h"
#include "intake_worker/connection_table.h"
#include "intake_worker/journal.h"
#include "intake_worker/lane_memory.h"
#include "intake_worker/parse.h"
#include "intake_worker/receipts.h"
#include "intake_worker/receive.h"
#include "intake_worker/reject_report.h"
#include "intake_worker/topic_table.h"
#include "shm/breadcrumb.h"
#include "shm/ring_writer.h"

namespace dory::intake {

enum class WhenNoRoom {
  kCut,     // the burst ends before the message that the ring has no room for
  kReject,  // it is rejected for kNoRoom
};

// The largest record that a message of this size can become.
uint64_t LargestRecord(uint64_t message_size);

class Publisher {
 public:
  // `limits`: the largest message of each input. A start: finishes what was decided.
  Publisher(const LaneMemory& memory, const Config& config, std::vector<uint32_t> limits, Receipts& receipts);

  // How many of the burst's messages were decided, from the first on: fewer where the journal or the
  // ring has no more room, or one asks for a receipt and may not yet; 0 where this is so for the first.
  // `held_back` bytes of the ring are kept.
  size_t Publish(const Burst& burst, WhenNoRoom when, uint64_t held_back);

  // Whether the last burst was cut before a message that may not ask for a receipt yet.
  bool lacked_receipt() const { return lacked_receipt_; }

  // P4 to P6 for a burst that lies in the overflow file, whose new end is `overflow_in`.
  void CommitToOverflow(const Burst& burst, uint64_t overflow_in);

  // P1: how many of the largest records surely fit.
  uint64_t SurelyFits(uint64_t record_size, uint64_t held_back) const {
    return writer_.SurelyFits(record_size, held_back);
  }

  void Configure(const Config& config) {
    topics_.Configure(config);
    admitter_.clients().Configure(config);
    report_.Configure(config);
  }

  // For the discard report: a window may begin. Each burst looks, and so does whoever has none for long.
  void RollReport(int64_t now_ns) { report_.RollIfDue(now_ns); }
  Permissions& permissions() { return admitter_.permissions(); }
  DiscardLog& discard_log() { return report_.log(); }
  const BooksWriter& books() const { return books_; }

 private:
  static constexpr size_t kReadAhead = 16;  // about as many reads of memory can be under way

  struct Decided {
    size_t messages = 0;
    uint64_t appended = 0;
  };

  void FinishDecided();
  Decided Decide(const Burst& burst, WhenNoRoom when, uint64_t held_back);
  ParseResult Read(const Burst& burst, const RawMessage& message) const;
  void ReadAhead(const Burst& burst, size_t first);
  void Count(const Admission& admission);
  void FillStage(const Burst& burst, size_t decided);
  void Commit(uint64_t appended);
  void FinishBurst();
  void CheckStage() const;
  void SetCounters();
  void ReleaseSource();
  void Mark(shm::Step step) const { shm::LeaveBreadcrumb(page_, step, producer_->stage.base); }

  uint32_t LimitOf(uint32_t input) const { return input < limits_.size() ? limits_[input] : slot_size_; }

  Receipts& receipts_;
  shm::ReceiveSlots* slots_;
  std::span<shm::Connection> connections_;
  shm::ProducerPage* producer_;
  shm::WorkerPage* page_;
  uint32_t slot_size_;
  std::vector<uint32_t> limits_;
  std::vector<bool> are_streams_;  // inputs
  bool lacked_receipt_ = false;
  BooksWriter books_;
  TopicTable topics_;
  Admitter admitter_;
  Journal journal_;
  shm::RingWriter writer_;
  RejectReport report_;
  std::array<ParseResult, kReadAhead> ahead_;  // the messages at hand
  uint64_t appended_ = 0;  // messages in all: the next record's ordinal
};

}  // namespace dory::intake
