// What the sweep sends, and what has to become of each message.

#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "common/crc32c.h"
#include "common/credentials.h"
#include "shm/layout.h"
#include "shm/record.h"
#include "tests/unit/intake_worker/client_message.h"

namespace dory::intake {

using shm::Reject;

inline constexpr uint32_t kSweepSlotSize = 256;

struct Sent {
  std::string bytes;
  std::string topic;
  std::string identity;            // of a good one: its value, and its headers as the ring has them
  std::optional<Reject> fate;      // nothing: it is kept
  bool may_be_rejected = false;    // no room, or no topic row: it depends
  std::optional<int64_t> receipt_id = {};  // it asks for a receipt
  uint32_t uid = kNoUid;           // who sends it; kNoUid: this process
};

// Two users, each of which may not name one of the topics.
inline constexpr uint32_t kFirstUser = 1001;
inline constexpr const char* kClients = "[client:a]\nuid = 1001\ndeny = t0\n[client:b]\nuid = 1002\ndeny = t1\n";

// By turns, or all as the same one. What becomes of what is not sound is not up to who sends it.
inline void SendAsUsers(std::vector<Sent>* messages, std::optional<uint32_t> one_user = {}) {
  uint32_t good = 0;
  for (Sent& message : *messages) {
    message.uid = one_user.value_or(kFirstUser + good % 2);
    if (message.fate) continue;
    ++good;
    if (message.topic == (message.uid == kFirstUser ? "t0" : "t1")) message.fate = Reject::kNotAllowed;
  }
}

// Who sends it can be said by root alone.
inline bool SendDatagram(int client, const Sent& message) {
  iovec buffer = {const_cast<char*>(message.bytes.data()), message.bytes.size()};
  msghdr header{};
  header.msg_iov = &buffer;
  header.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))] = {};
  if (message.uid != kNoUid) {
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
    cmsghdr* const first = CMSG_FIRSTHDR(&header);
    *first = {.cmsg_len = CMSG_LEN(sizeof(ucred)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS};
    const ucred sender = {::getpid(), message.uid, ::getgid()};
    std::memcpy(CMSG_DATA(first), &sender, sizeof(sender));
  }
  return ::sendmsg(client, &header, MSG_DONTWAIT) >= 0;
}

inline bool SendDatagrams(int client, const std::vector<Sent>& messages) {
  return std::ranges::all_of(messages, [client](const Sent& message) { return SendDatagram(client, message); });
}

// Of a long value its beginning, size and a sum of it.
inline std::string Shorten(const std::string& text) {
  constexpr size_t kMost = 150;
  if (text.size() <= kMost) return text;
  return text.substr(0, kMost / 2) + std::to_string(text.size()) + "/" + std::to_string(Crc32cExtend(0, AsBytes(text)));
}

// "socket:number:padding", of the even ones in version 1 with the number in a header, too; those ask for receipts
// where `asks`.
inline Sent Good(size_t socket, int number, const std::string& topic, size_t padding = 0, bool asks = false) {
  const std::string digits = std::to_string(number);
  const std::string value = std::to_string(socket) + ":" + digits + ":" + std::string(padding, 'v');
  if (number % 2 == 1) return {ClientMessage{.topic = topic, .value = value}.Bytes(), topic, Shorten(value), {}};
  const std::string header = "\2n" + std::string(1, static_cast<char>(2 * digits.size())) + digits;
  ClientMessage message{.api_version = 1, .topic = topic, .value = value, .headers = {{"n", digits}}};
  if (asks) message.receipt_id = static_cast<int64_t>(socket) << 32 | number;
  return {message.Bytes(), topic, Shorten(value + header), {}, false, message.receipt_id};
}

inline std::string IdentityOf(const shm::MessageView& message) {
  return Shorten(std::string(AsText(message.value)).append(AsText(message.headers)));
}

inline Sent Bad(const ClientMessage& message, Reject fate) { return {message.Bytes(), "", "", fate}; }

// What the kernel keeps beside a datagram, at most.
inline constexpr size_t kDatagramOverhead = 512;

inline Sent Filling(size_t size) { return {std::string(size, 'f'), "", "", Reject::kTooLong}; }

// A life's messages: two sockets, good ones between bad ones, new topics in between.
inline std::vector<Sent> ComposeFor(size_t socket, int from, int count, bool asks = false) {
  static const std::vector<Sent> kBad = {
      {"", "", "", Reject::kMalformed},
      Bad({.api_version = 3}, Reject::kUnsupportedVersion),
      Bad({.topic = "no topic"}, Reject::kBadTopic),
      Bad({.value = std::string(2 * kSweepSlotSize, 'v')}, Reject::kTooLong),
      Bad({.api_version = 4}, Reject::kUnsupportedVersion),
  };
  std::vector<Sent> messages;
  for (int i = from; i < from + count; ++i) {
    if (i % 3 == 1) messages.push_back(kBad[static_cast<size_t>(i) / 3 % kBad.size()]);
    messages.push_back(Good(socket, i, "t" + std::to_string(static_cast<size_t>(i) / 2 % 4), static_cast<size_t>(i) * 41 % 130, asks));
    messages.back().may_be_rejected = messages.back().topic == "t3" || messages.back().topic == "t2";
  }
  return messages;
}

// Of a stream: what is cut off by its client's end, or a Size that is none, behind which nothing can be read.
inline Sent CutOff() { return {ClientMessage{}.Bytes().substr(0, 11), "", "", Reject::kUncleanUnix}; }
inline Sent NoSize() { return {std::string("\0\0\0\3and all that follows", 24), "", "", Reject::kMalformed}; }

enum class StreamEnd { kNoSize, kCutOff, kClean };

// One that asks, and is rejected for its topic.
inline Sent BadThatAsks(size_t socket) {
  const int64_t id = static_cast<int64_t>(socket) << 32 | 1 << 20;
  Sent message = Bad({.api_version = 1, .topic = "no topic", .receipt_id = id}, Reject::kBadTopic);
  message.receipt_id = id;
  return message;
}

// A connection's messages. `large`: some that do not fit behind one another in an area of 64 KiB, one that fits in
// none. `asks`: for receipts.
inline std::vector<Sent> ComposeStream(size_t socket, int count, bool large, bool asks, StreamEnd end) {
  std::vector<Sent> messages = ComposeFor(socket, 0, count, asks);
  if (asks) messages.push_back(BadThatAsks(socket));
  std::erase_if(messages, [](const Sent& message) {  // what only a datagram can be
    return message.bytes.empty() || message.fate == Reject::kTooLong;
  });
  if (large) {
    for (const size_t padding : {30'000, 28'000, 30'000, 70'000}) {
      messages.push_back(Good(socket, static_cast<int>(messages.size()) + count, "t0", padding));
    }
    messages.push_back(Good(socket, static_cast<int>(messages.size()) + count, "t1"));
  }
  if (end == StreamEnd::kCutOff) messages.push_back(CutOff());
  if (end == StreamEnd::kNoSize) messages.push_back(NoSize());
  return messages;
}

}  // namespace dory::intake
