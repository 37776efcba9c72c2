// Receipts on stream connections, without the event loop; the kafka worker is played by hand.

#include "intake_worker/receipts.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <map>
#include <set>

#include "shm/soundness.h"
#include "tests/unit/intake_worker/lane_fixture.h"

namespace dory::intake {
namespace {

using shm::CodeOf;
using shm::Discard;
using shm::Reject;
using shm::kDeliveredCode;

constexpr uint32_t kTickets = 200;

struct GivenReceipt {
  int64_t id;
  int16_t code;
  int32_t partition;
  int64_t offset;
  bool operator==(const GivenReceipt&) const = default;
};

class ReceiptsTest : public LaneFixture {
 protected:
  static constexpr ConnectionTable::Kind kKind = {.input = 1, .is_tcp = false, .limit = 60'000};

  void SetUp() override { Make(kTickets); }

  void Make(uint32_t tickets) {
    streams_geometry_ = {.connections = 6, .areas = 6, .large_areas = 1, .large_area_size = 64 * 1024, .tickets = tickets};
    MakeSegment(1 << 20, 8);
    StartLane();
    for (uint32_t slot = 0; slot < 6; ++slot) OpenConnection(slot, slot + 1);
  }

  void OpenConnection(uint32_t slot, uint64_t generation) {
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    clients_[slot].Reset(fds[0]);
    servers_[slot].Reset(fds[1]);
    ASSERT_TRUE(lane_->streams().Open(slot, generation, kKind));
  }

  static std::string Asking(int64_t id, const std::string& topic = "topic") {
    return ClientMessage{.api_version = 1, .topic = topic, .value = std::to_string(id), .receipt_id = id}.Bytes();
  }

  void SendTo(uint32_t slot, const std::string& bytes) {
    ASSERT_EQ(::send(clients_[slot].get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }
  Outcome Read(uint32_t slot) { return lane_->streams().Receive(slot, servers_[slot].get()).outcome; }

  // What the kafka worker takes from the ring: ticket by value.
  std::map<std::string, uint64_t> Drain() {
    const shm::RingReader reader(&Producer(), kafka_->Bytes(shm::RegionKind::kRing, 0));
    std::map<std::string, uint64_t> tickets;
    uint64_t position = shm::Load(Consumer().head);
    while (position < reader.Tail()) {
      const shm::RingRecord record = reader.ReadAt(position, reader.Tail());
      if (record.verdict == shm::RingRecord::Verdict::kMessage) {
        const uint64_t ticket = record.message.header.ticket;
        tickets[std::string(AsText(record.message.value))] = ticket;
        if (ticket != 0) shm::Store(OutcomeOf(ticket).place_number, ticket);
      }
      position = record.end;
    }
    shm::Store(Consumer().head, position);
    return tickets;
  }

  shm::Outcome& OutcomeOf(uint64_t ticket) {
    return kafka_->GetWritable<shm::Outcome>(shm::RegionKind::kOutcomes, 0)[ticket % kTickets];
  }
  void Settle(uint64_t ticket, int16_t code, int32_t partition, int64_t offset) {
    shm::Outcome& outcome = OutcomeOf(ticket);
    shm::Store(outcome.code, code);
    shm::Store(outcome.partition, partition);
    shm::Store(outcome.offset, offset);
    shm::Store(outcome.number, ticket);
  }

  // Answers, and sends to every connection that has something.
  void Give() {
    lane_->receipts().AnswerSettled();
    for (const uint32_t slot : lane_->receipts().TakeReady()) lane_->receipts().Send(slot, servers_[slot].get());
  }

  // All that the client has been sent, as whole receipts.
  std::vector<GivenReceipt> ReceiptsOf(uint32_t slot) {
    std::string bytes(1 << 16, '\0');
    const ssize_t size = ::recv(clients_[slot].get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    bytes.resize(size < 0 ? 0 : static_cast<size_t>(size));
    EXPECT_EQ(bytes.size() % shm::kAnswerSize, 0u);
    std::vector<GivenReceipt> receipts;
    ByteReader reader(AsBytes(bytes));
    while (reader.remaining() > 0) {
      EXPECT_EQ(reader.Read<int32_t>(), 26);
      GivenReceipt receipt;
      receipt.id = reader.Read<int64_t>();
      receipt.code = reader.Read<int16_t>();
      receipt.partition = reader.Read<int32_t>();
      receipt.offset = reader.Read<int64_t>();
      receipts.push_back(receipt);
    }
    return receipts;
  }

  void ExpectSound() { EXPECT_EQ(shm::CheckSound(*check_, 0).message(), ""); }

  FileDescriptor clients_[6];
  FileDescriptor servers_[6];
};

using Receipts = std::vector<GivenReceipt>;

TEST_F(ReceiptsTest, WhoAsksIsToldOnceKafkaHasIt) {
  SendTo(0, Asking(77) + ClientMessage{.value = "asks not"}.Bytes());
  EXPECT_EQ(Read(0), Outcome::kEmpty);
  std::map<std::string, uint64_t> tickets = Drain();
  EXPECT_EQ(tickets["asks not"], 0u);
  Give();
  EXPECT_EQ(ReceiptsOf(0), Receipts());
  EXPECT_TRUE(lane_->receipts().AreAnyOpen());
  Settle(tickets["77"], kDeliveredCode, 3, 1'000'000'000'000);
  Give();
  EXPECT_EQ(ReceiptsOf(0), (Receipts{{77, kDeliveredCode, 3, 1'000'000'000'000}}));
  EXPECT_FALSE(lane_->receipts().AreAnyOpen());
  EXPECT_FALSE(lane_->receipts().IsOwed(0));
  Give();
  EXPECT_EQ(ReceiptsOf(0), Receipts());
  ExpectSound();
}

TEST_F(ReceiptsTest, ARejectIsToldAtOnce) {
  SendTo(0, Asking(1, "no topic") + Asking(2));
  EXPECT_EQ(Read(0), Outcome::kEmpty);
  Give();
  EXPECT_EQ(ReceiptsOf(0), (Receipts{{1, CodeOf(Reject::kBadTopic), -1, -1}}));
  EXPECT_EQ(Books().RejectedFor(Reject::kBadTopic), 1u);
  EXPECT_EQ(Drain().size(), 1u);
}

TEST_F(ReceiptsTest, ADatagramCannotAsk) {
  ASSERT_TRUE(sockets_[0].Send(Asking(1)));
  ASSERT_TRUE(Send({.api_version = 0, .flags = 1}));
  Receive();
  EXPECT_EQ(Books().RejectedFor(Reject::kMalformed), 2u);
  EXPECT_FALSE(lane_->receipts().AreAnyOpen());
}

TEST_F(ReceiptsTest, VersionZeroCannotAsk) {
  SendTo(0, ClientMessage{.receipt_id = 5}.Bytes());
  EXPECT_EQ(Read(0), Outcome::kEmpty);
  EXPECT_EQ(Books().RejectedFor(Reject::kMalformed), 1u);
}

TEST_F(ReceiptsTest, OpenTicketsOutliveTheirIntake) {
  SendTo(0, Asking(1) + Asking(2));
  Read(0);
  std::map<std::string, uint64_t> tickets = Drain();
  Settle(tickets["2"], CodeOf(Discard::kTooLarge), 0, -1);
  StartLane();
  EXPECT_TRUE(lane_->receipts().IsOwed(0));
  Give();
  EXPECT_EQ(ReceiptsOf(0), (Receipts{{2, CodeOf(Discard::kTooLarge), 0, -1}}));
  StartLane();
  Settle(tickets["1"], kDeliveredCode, 0, 9);
  Give();
  EXPECT_EQ(ReceiptsOf(0), (Receipts{{1, kDeliveredCode, 0, 9}}));
  StartLane();
  Give();
  EXPECT_EQ(ReceiptsOf(0), Receipts());
  EXPECT_FALSE(lane_->receipts().IsOwed(0));
  ExpectSound();
}

TEST_F(ReceiptsTest, WhatWasDamagedInTheRingIsToldAsCorrupt) {
  SendTo(0, Asking(1) + Asking(2));
  Read(0);
  const uint64_t ticket = Drain()["1"];
  shm::Store(OutcomeOf(ticket).place_number, 0);  // the kafka worker has never seen it
  Give();
  EXPECT_EQ(ReceiptsOf(0), (Receipts{{1, CodeOf(Discard::kCorrupt), -1, -1}}));
}

TEST_F(ReceiptsTest, WhatIsNotDrainedYetIsNotLost) {
  SendTo(0, Asking(1));
  Read(0);
  Give();
  EXPECT_EQ(ReceiptsOf(0), Receipts());
}

// 157 receipts fit an answer area; further messages wait in the connection's area.
TEST_F(ReceiptsTest, AConnectionThatAsksTooMuchWaitsAlone) {
  std::string many;
  for (int id = 0; id < 160; ++id) many += Asking(id);
  SendTo(0, many);
  Outcome outcome = Outcome::kMore;
  while (outcome == Outcome::kMore) outcome = Read(0);
  EXPECT_EQ(outcome, Outcome::kNoReceipt);
  EXPECT_TRUE(lane_->streams().IsHeld(0));
  EXPECT_FALSE(lane_->streams().HasLeftovers());
  std::map<std::string, uint64_t> tickets = Drain();
  EXPECT_EQ(tickets.size(), 157u);

  SendTo(1, Asking(1));
  EXPECT_EQ(Read(1), Outcome::kEmpty);
  EXPECT_EQ(lane_->streams().PublishHeld(), std::vector<uint32_t>());
  for (const auto& [value, ticket] : tickets) Settle(ticket, kDeliveredCode, 0, 1);
  lane_->receipts().AnswerSettled();
  EXPECT_EQ(lane_->streams().PublishHeld(), std::vector<uint32_t>());  // its client has not been sent any
  EXPECT_EQ(lane_->receipts().Send(0, servers_[0].get()), Outcome::kEmpty);
  EXPECT_EQ(lane_->streams().PublishHeld(), std::vector<uint32_t>{0});
  EXPECT_EQ(ReceiptsOf(0).size(), 157u);
  EXPECT_EQ(Drain().size(), 4u);
  ExpectSound();
}

TEST_F(ReceiptsTest, WhatIsHeldIsHeldByTheNextLife) {
  std::string many;
  for (int id = 0; id < 160; ++id) many += Asking(id);
  SendTo(0, many);
  while (Read(0) == Outcome::kMore) {
  }
  StartLane();
  EXPECT_EQ(lane_->PublishLeftovers(), Outcome::kMore);
  EXPECT_EQ(lane_->PublishLeftovers(), Outcome::kEmpty);
  EXPECT_TRUE(lane_->streams().IsHeld(0));
  ExpectSound();
}

TEST_F(ReceiptsTest, WhatIsHeldIsTakenWithoutAReceiptWhereTheClientIsGone) {
  std::string many;
  for (int id = 0; id < 160; ++id) many += Asking(id);
  SendTo(0, many);
  while (Read(0) == Outcome::kMore) {
  }
  lane_->receipts().Leave(0);
  lane_->streams().End(0);
  EXPECT_TRUE(lane_->streams().HasEnded(0));
  const std::map<std::string, uint64_t> tickets = Drain();
  EXPECT_EQ(tickets.size(), 160u);
  for (const auto& [value, ticket] : tickets) {
    if (ticket != 0) Settle(ticket, kDeliveredCode, 0, 1);
  }
  Give();
  EXPECT_FALSE(lane_->receipts().AreAnyOpen());
  ExpectSound();
}

// A message that waits for hours holds up its ticket's slot, and nobody else's.
TEST_F(ReceiptsTest, ATicketThatStaysOpenHoldsUpNobody) {
  SendTo(0, Asking(-1));
  Read(0);
  const uint64_t waiting = Drain()["-1"];
  std::set<uint64_t> numbers = {waiting};
  for (int id = 0; id < 1000; ++id) {
    SendTo(1, Asking(id));
    ASSERT_EQ(Read(1), Outcome::kEmpty);
    const uint64_t ticket = Drain()[std::to_string(id)];
    EXPECT_TRUE(numbers.insert(ticket).second);
    EXPECT_NE(ticket % kTickets, waiting % kTickets);
    Settle(ticket, kDeliveredCode, 0, id);
    Give();
    ASSERT_EQ(ReceiptsOf(1), (Receipts{{id, kDeliveredCode, 0, id}}));
    if (id % 100 == 0) StartLane();
  }
  Settle(waiting, kDeliveredCode, 0, 5);
  Give();
  EXPECT_EQ(ReceiptsOf(0), (Receipts{{-1, kDeliveredCode, 0, 5}}));
}

TEST_F(ReceiptsTest, AnotherConnectionOfTheEntryIsNotToldOfTheOneBefore) {
  SendTo(0, Asking(1) + Asking(2));
  Read(0);
  std::map<std::string, uint64_t> tickets = Drain();
  Settle(tickets["1"], kDeliveredCode, 0, 1);
  lane_->receipts().AnswerSettled();  // and not sent
  lane_->streams().End(0);
  OpenConnection(0, 100);
  SendTo(0, Asking(3));
  Read(0);
  Settle(tickets["2"], kDeliveredCode, 0, 2);
  Settle(Drain()["3"], kDeliveredCode, 0, 3);
  Give();
  EXPECT_EQ(ReceiptsOf(0), (Receipts{{3, kDeliveredCode, 0, 3}}));
  ExpectSound();
}

// Its receipts stay in its area; others get theirs.
TEST_F(ReceiptsTest, AClientThatNeverReadsStopsItself) {
  const int least = 0;
  ASSERT_EQ(::setsockopt(servers_[0].get(), SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)), 0);
  int64_t id = 0;
  while (!lane_->streams().IsHeld(0)) {
    SendTo(0, Asking(id++));
    ASSERT_NE(Read(0), Outcome::kNoRoom);
    for (const auto& [value, ticket] : Drain()) Settle(ticket, kDeliveredCode, 0, 1);
    Give();
    ASSERT_LT(id, 2000);
  }
  SendTo(1, Asking(5));
  ASSERT_EQ(Read(1), Outcome::kEmpty);
  Settle(Drain()["5"], kDeliveredCode, 0, 2);
  Give();
  EXPECT_EQ(ReceiptsOf(1), (Receipts{{5, kDeliveredCode, 0, 2}}));
  ExpectSound();
  // It reads after all: whole receipts, each once, the rest of them as there is room.
  std::vector<GivenReceipt> all;
  while (true) {
    const std::vector<GivenReceipt> some = ReceiptsOf(0);
    if (some.empty()) break;
    all.insert(all.end(), some.begin(), some.end());
    lane_->receipts().Send(0, servers_[0].get());
  }
  EXPECT_EQ(static_cast<int64_t>(all.size()), id - 1);
  for (int64_t i = 0; i < id - 1; ++i) EXPECT_EQ(all[static_cast<size_t>(i)].id, i);
}

TEST_F(ReceiptsTest, WhereNobodyCanBeToldAnyMoreItSaysSo) {
  SendTo(0, Asking(1));
  Read(0);
  Settle(Drain()["1"], kDeliveredCode, 0, 1);
  clients_[0].Reset();
  lane_->receipts().AnswerSettled();
  EXPECT_EQ(lane_->receipts().Send(0, servers_[0].get()), Outcome::kEnd);
  lane_->receipts().Leave(0);
  EXPECT_FALSE(lane_->receipts().IsOwed(0));
  ExpectSound();
}

TEST_F(ReceiptsTest, MoreConnectionsThanAreasTakeTurns) {
  lane_.reset();
  std::filesystem::remove_all(folder_);
  Make(64);  // 4 answer areas
  for (uint32_t slot = 0; slot < 6; ++slot) SendTo(slot, Asking(slot));
  std::vector<Outcome> outcomes;
  for (uint32_t slot = 0; slot < 6; ++slot) outcomes.push_back(Read(slot));
  EXPECT_EQ(outcomes[3], Outcome::kEmpty);
  EXPECT_EQ(outcomes[4], Outcome::kNoReceipt);
  EXPECT_EQ(outcomes[5], Outcome::kNoReceipt);
  SendTo(0, ClientMessage{.value = "asks not"}.Bytes());
  EXPECT_EQ(Read(0), Outcome::kEmpty);
}

}  // namespace
}  // namespace dory::intake
