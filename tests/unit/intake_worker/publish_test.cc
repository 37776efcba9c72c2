// Bursts as such: where they are cut, what a start does with a stage in any state.

#include "intake_worker/publish.h"

#include <gtest/gtest.h>

#include "tests/unit/intake_worker/lane_fixture.h"

namespace dory::intake {
namespace {

using shm::Load;
using shm::Reject;
using shm::Store;

class PublishTest : public LaneFixture {
 protected:
  void SetUp() override {
    MakeSegment(1 << 20, 1'024);
    StartLane();
    publisher_ = MakePublisher();
  }

  std::unique_ptr<Publisher> MakePublisher() {
    const LaneMemory memory(*intake_, 0);
    receipts_ = std::make_unique<Receipts>(memory);
    return std::make_unique<Publisher>(memory, config_, settings_.limits, *receipts_);
  }

  // Messages that are in no source: what is released is the overflow file's position.
  size_t Publish(const std::vector<std::string>& bytes) {
    std::vector<RawMessage> messages;
    for (const std::string& message : bytes) {
      messages.push_back({.bytes = AsBytes(message), .out = messages.size() + 1});
    }
    return publisher_->Publish({.source = shm::Source::kOverflow, .messages = messages}, WhenNoRoom::kCut, 0);
  }

  shm::ProducerPage& WritableProducer() {
    return *intake_->GetWritable<shm::ProducerPage>(shm::RegionKind::kProducer, 0);
  }

  std::unique_ptr<Receipts> receipts_;
  std::unique_ptr<Publisher> publisher_;
};

TEST_F(PublishTest, IsCutWhereTheJournalIsFull) {
  std::vector<std::string> bytes;
  for (int i = 0; i < 600; ++i) bytes.push_back(ClientMessage{.topic = "t" + std::to_string(i)}.Bytes());
  const size_t first = Publish(bytes);
  EXPECT_EQ(first, shm::kJournalSize - kChangesOfOneMessage + 1);
  EXPECT_EQ(Load(Producer().overflow_out), first);
  EXPECT_EQ(Books().Appended(), first);
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(first));
  EXPECT_EQ(Publish(bytes), first);
  EXPECT_EQ(Books().Appended(), 2 * first);
  EXPECT_EQ(Consume().size(), 2 * first);
}

TEST_F(PublishTest, ManyMessagesOfOneTopicAreOneChange) {
  EXPECT_EQ(Publish(std::vector<std::string>(1'000, ClientMessage{}.Bytes())), 1'000u);
  EXPECT_EQ(Load(Producer().stage.journal_count), 1u);
  EXPECT_EQ(Books().topics[0].appended, 1'000u);
}

TEST_F(PublishTest, ABurstWithoutAnAppendIsDecidedAllTheSame) {
  EXPECT_EQ(Publish({"", ClientMessage{.api_version = 5}.Bytes()}), 2u);
  EXPECT_EQ(Load(Producer().tail), 0u);
  EXPECT_EQ(Load(Producer().stage.decided), shm::kUndecided);
  EXPECT_EQ(Books().Rejected(), 2u);
}

TEST_F(PublishTest, NothingOfAnUndecidedStageCounts) {
  Publish({ClientMessage{}.Bytes()});
  shm::Stage& stage = WritableProducer().stage;
  stage.journal[0].value = 999;
  Store(stage.journal_count, 1);
  publisher_ = MakePublisher();
  EXPECT_EQ(Books().Received(), 1u);
}

TEST_F(PublishTest, ADecidedStageIsFinishedOnce) {
  Publish({ClientMessage{}.Bytes()});
  shm::Stage& stage = WritableProducer().stage;
  stage.journal[0].value = 5;  // what a burst of four more would have left
  Store(stage.out, 77);
  Store(stage.decided, shm::kNothingAppended);
  EXPECT_EQ(Books().Appended(), 5u);  // a reader takes the journal's word for it
  publisher_ = MakePublisher();
  EXPECT_EQ(Books().Appended(), 5u);
  EXPECT_EQ(Load(Producer().overflow_out), 77u);
  EXPECT_EQ(Load(Producer().stage.decided), shm::kUndecided);
  publisher_ = MakePublisher();
  EXPECT_EQ(Books().Appended(), 5u);
}

TEST_F(PublishTest, ProgressMovesBetweenBursts) {
  const auto* page = check_->Get<shm::WorkerPage>(shm::RegionKind::kWorkerPage, 0);
  const uint64_t before = Load(page->progress);
  Publish({""});
  Publish({""});
  EXPECT_EQ(Load(page->progress), before + 2);
  EXPECT_EQ(Load(page->phase), 0u);
}

using PublishDeathTest = PublishTest;

TEST_F(PublishDeathTest, ADamagedStageEndsTheProcess) {
  shm::Stage& stage = WritableProducer().stage;
  Store(stage.journal_count, 1);
  stage.source = shm::Source::kDatagrams;
  stage.journal[0] = {UINT64_MAX, 1};
  Store(stage.decided, shm::kNothingAppended);
  EXPECT_DEATH(MakePublisher(), "");
}

}  // namespace
}  // namespace dory::intake
