#include "intake_worker/publish.h"

#include <algorithm>
#include <cstdlib>

#include "common/clock.h"
#include "common/crash_point.h"
#include "common/log.h"
#include "common/prefetch.h"
#include "shm/store.h"
#include "shm/stream_area.h"

namespace dory::intake {

using shm::Load;
using shm::Source;
using shm::Store;

uint64_t LargestRecord(uint64_t message_size) {
  constexpr uint64_t kSmallestTopic = 1;
  // The sizes of a header whose value has a MiB and more may take a byte more than the client's.
  const uint64_t grown_headers = message_size >> 20;
  return shm::AlignRecord(shm::kRecordOverhead + message_size + grown_headers - kMessageOverhead - kSmallestTopic);
}

Publisher::Publisher(const LaneMemory& memory, const Config& config, std::vector<uint32_t> limits, Receipts& receipts)
    : receipts_(receipts),
      slots_(memory.slots),
      connections_(memory.connections),
      producer_(memory.producer),
      page_(memory.page),
      slot_size_(memory.slot_size),
      limits_(std::move(limits)),
      books_(memory.books, memory.max_topics),
      topics_(&books_, memory.max_topics, config),
      admitter_(&books_, &topics_),
      journal_(&memory.producer->stage, &books_),
      writer_(memory.producer, memory.consumer, memory.ring),
      report_(memory, config) {
  for (const InputConfig& input : config.inputs) are_streams_.push_back(input.IsStream());
  admitter_.clients().Configure(config);
  FinishDecided();
  RollReport(BoottimeNs());
  appended_ = books_.SumAppended();
}

void Publisher::FinishDecided() {
  const shm::Stage& stage = producer_->stage;
  if (Load(producer_->tail) == Load(stage.base) && Load(stage.decided) == shm::kUndecided) return;
  CheckStage();
  FinishBurst();
}

size_t Publisher::Publish(const Burst& burst, WhenNoRoom when, uint64_t held_back) {
  Mark(shm::Step::kP3);
  const Decided decided = Decide(burst, when, held_back);
  if (decided.messages == 0) return 0;
  FillStage(burst, decided.messages);
  Commit(decided.appended);
  FinishBurst();
  receipts_.FinishBurst();
  appended_ += decided.appended;
  return decided.messages;
}

void Publisher::CommitToOverflow(const Burst& burst, uint64_t overflow_in) {
  journal_.Begin();
  FillStage(burst, burst.messages.size());
  Store(producer_->stage.overflow_in, overflow_in);
  DORY_CRASH_POINT("P3.stage_overflow");
  Store(producer_->stage.decided, shm::kWrittenToOverflow);
  DORY_CRASH_POINT("P4.overflow");
  FinishBurst();
}

// P3, its first part.
Publisher::Decided Publisher::Decide(const Burst& burst, WhenNoRoom when, uint64_t held_back) {
  writer_.Rewind();
  journal_.Begin();
  const int64_t now_ns = BoottimeNs();
  RollReport(now_ns);
  admitter_.BeginBurst(now_ns);
  lacked_receipt_ = false;
  Decided decided;
  for (const RawMessage& message : burst.messages) {
    if (!journal_.HasRoom()) break;
    if (decided.messages % kReadAhead == 0) ReadAhead(burst, decided.messages);
    const ParseResult& parsed = ahead_[decided.messages % kReadAhead];
    const bool asks = parsed.message.receipt_id && shm::IsOfConnection(burst.source) && receipts_.CanAnswer(burst.index);
    if (asks && !receipts_.MayAsk(burst.index)) {
      lacked_receipt_ = true;
      break;
    }
    Admission admission = admitter_.Admit(parsed, message.input, message.uid);
    if (admission.admitted && !writer_.Fits(admission.record.RecordSize(), held_back)) {
      if (when == WhenNoRoom::kCut) break;
      admission = admitter_.RefuseForRoom(admission);
    }
    if (admission.admitted) {
      if (asks) admission.record.header.ticket = receipts_.NextNumber();
      writer_.Write(admission.record, now_ns, appended_ + decided.appended++);
      admitter_.NoteWritten(admission);
      DORY_CRASH_POINT("P3.record");
    } else {
      report_.Note(message, parsed, admission);
    }
    if (asks) {
      const int16_t code = admission.admitted ? shm::kNoCode : shm::CodeOf(admission.reason);
      receipts_.Take(burst.index, *parsed.message.receipt_id, code, writer_.write_position());
    }
    Count(admission);
    ++decided.messages;
  }
  return decided;
}

ParseResult Publisher::Read(const Burst& burst, const RawMessage& message) const {
  if (message.fault) return {.reject = message.fault, .message = {}};
  const bool of_stream = shm::IsOfConnection(burst.source) ||
                         (message.input < are_streams_.size() && are_streams_[message.input]);
  return Parse(message.bytes, message.truncated, message.limit > 0 ? message.limit : LimitOf(message.input), of_stream);
}

// Among thousands of topics nearly every look at one waits for main memory: those of several messages wait at once.
void Publisher::ReadAhead(const Burst& burst, size_t first) {
  const size_t count = std::min(kReadAhead, burst.messages.size() - first);
  std::array<const TopicTable::Place*, kReadAhead> places;
  for (size_t i = 0; i < count; ++i) {
    ahead_[i] = Read(burst, burst.messages[first + i]);
    places[i] = topics_.FirstPlaceOf(ahead_[i].message.topic);
    Prefetch(*places[i]);
  }
  for (size_t i = 0; i < count; ++i) {
    const uint32_t row = places[i]->row;
    if (row == shm::kNoIndex) continue;
    Prefetch(books_.RowOf(row)->name, 1);
    Prefetch(&books_.RowOf(row)->appended, 1);
    Prefetch(topics_.OptionsOf(row));
    Prefetch(journal_.PlaceOf(books_.AppendedOf(row)), 1);
  }
}

void Publisher::Count(const Admission& admission) {
  journal_.CountOne(admission.counter);
  if (admission.tally != kNoCounter) journal_.CountOne(admission.tally);
}

// P3, its second part: what P5 needs.
void Publisher::FillStage(const Burst& burst, size_t decided) {
  shm::Stage& stage = producer_->stage;
  journal_.Finish();
  const bool ends = decided > 0 && burst.messages[decided - 1].fault.has_value();
  Store(stage.source, ends ? Source::kConnectionEnd : burst.source);
  Store(stage.index, burst.index);
  DORY_CRASH_POINT("P3.stage_source");
  Store(stage.first, burst.first);
  Store(stage.end, burst.first + static_cast<uint32_t>(decided));
  DORY_CRASH_POINT("P3.stage_slots");
  Store(stage.out, burst.messages.empty() ? 0 : burst.messages[decided - 1].out);
  DORY_CRASH_POINT("P3.stage_out");
  Store(stage.last_ticket, receipts_.last_taken());
  DORY_CRASH_POINT("P3.stage_ticket");
}

// P4.
void Publisher::Commit(uint64_t appended) {
  Mark(shm::Step::kP4);
  if (appended > 0) {
    Store(producer_->tail, writer_.write_position());
    DORY_CRASH_POINT("P4.tail");
  } else {
    if (!DORY_IS_MUTANT("not decided without an append")) {
      Store(producer_->stage.decided, shm::kNothingAppended);
    }
    DORY_CRASH_POINT("P4.decided");
  }
}

// P5 and P6: sets only, so that they may be done again.
void Publisher::FinishBurst() {
  shm::Stage& stage = producer_->stage;
  if (DORY_IS_MUTANT("P6 before P5")) Store(stage.base, Load(producer_->tail));
  Mark(shm::Step::kP5);
  SetCounters();
  receipts_.SetLast(stage.last_ticket);
  if (Load(stage.decided) == shm::kWrittenToOverflow) {
    Store(producer_->overflow_in, stage.overflow_in);
    DORY_CRASH_POINT("P5.overflow_in");
  }
  ReleaseSource();
  Mark(shm::Step::kP6);
  Store(stage.base, Load(producer_->tail));
  DORY_CRASH_POINT("P6.base");
  Store(stage.decided, shm::kUndecided);
  DORY_CRASH_POINT("P6.decided");
  Store(page_->progress, page_->progress + 1);
  Mark(shm::Step::kNone);
}

void Publisher::SetCounters() {
  shm::Stage& stage = producer_->stage;
  for (uint64_t i = 0; i < stage.journal_count; ++i) {
    books_.Set(stage.journal[i].counter, stage.journal[i].value);
    DORY_CRASH_POINT("P5.counter");
    if (DORY_IS_MUTANT("counters added")) Store(stage.journal[i].value, stage.journal[i].value + 1);
  }
}

void Publisher::ReleaseSource() {
  const shm::Stage& stage = producer_->stage;
  if (stage.source == Source::kDatagrams) {
    Receiver::Release(slots_, {stage.first, stage.end});
  } else if (stage.source == Source::kOverflow) {
    Store(producer_->overflow_out, stage.out);
    DORY_CRASH_POINT("P5.overflow_out");
  } else {
    ConnectionTable::Release(&connections_[stage.index], stage.out, stage.source == Source::kConnectionEnd);
  }
}

// The stage of another life is range-checked once, here.
void Publisher::CheckStage() const {
  const shm::Stage& stage = producer_->stage;
  bool sound = stage.journal_count <= shm::kJournalSize && stage.first <= stage.end &&
               stage.end <= shm::kSlotCount && stage.decided <= shm::kWrittenToOverflow &&
               stage.source > Source::kNone && stage.source <= Source::kConnectionEnd &&
               (!shm::IsOfConnection(stage.source) || stage.index < connections_.size());
  for (uint64_t i = 0; sound && i < stage.journal_count; ++i) {
    sound = stage.journal[i].counter < books_.counter_count();
  }
  if (sound) return;
  LogError("the stage of the lane's producer page is damaged");
  std::abort();
}

}  // namespace dory::intake
