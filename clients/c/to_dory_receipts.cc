// One loop that waits for all at once: the socket's room, receipts, standard input, the clock. Dory
// does not read a client that does not read its receipts, so that nothing here may wait by itself.

#include "clients/c/to_dory_receipts.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <iostream>
#include <set>
#include <string>
#include <vector>

#include "clients/c/to_dory_send.h"
#include "clients/c/to_dory_values.h"

namespace dory::client {
namespace {

using Clock = std::chrono::steady_clock;

void PrintReceipt(const dory_receipt& receipt) {
  const std::string name = dory_receipt_code_name(receipt.code);
  std::cout << receipt.id << ' '
            << (name == "unknown" ? "code_" + std::to_string(receipt.code) : name);
  if (receipt.partition >= 0) std::cout << " partition=" << receipt.partition;
  if (receipt.offset >= 0) std::cout << " offset=" << receipt.offset;
  std::cout << '\n';
}

class ReceiptSession {
 public:
  ReceiptSession(const Options& options, dory_client* client)
      : options_(options), client_(client), values_(options) {}

  int Run() {
    if (!values_.Prepare()) return kExitNotSent;
    while (Receive()) {
      Send();
      if (has_sent_all_ && missing_.empty()) break;
      Wait();
    }
    std::cout.flush();
    return has_failed_ || values_.has_failed() ? kExitNotSent : kExitSent;
  }

 private:
  // Returns false where the session is at its end, with a message to stderr.
  bool Receive() {
    for (;;) {
      dory_receipt receipt;
      const dory_code code = dory_client_receive(client_, &receipt);
      if (code == DORY_WOULD_BLOCK) break;
      if (code == DORY_INTERRUPTED) continue;
      if (code != DORY_OK) return EndEarly(code);
      PrintReceipt(receipt);
      if (receipt.code != DORY_DELIVERED) has_failed_ = true;
      if (missing_.erase(receipt.id) == 1) continue;
      std::cerr << "to_dory: nobody waits for a receipt of message " << receipt.id << "\n";
      has_failed_ = true;
    }
    std::cout.flush();
    return true;
  }

  bool EndEarly(dory_code code) {
    has_failed_ = true;
    const std::string where = NameAddress(options_);
    if (code != DORY_NOT_RUNNING) {
      FailToSend(where, code);
    } else {
      std::cerr << "to_dory: " << where << ": the connection has ended\n";
    }
    if (missing_.empty()) {
      std::cerr << "to_dory: no receipt is missing, but not all messages were sent\n";
    } else {
      std::cerr << "to_dory: " << missing_.size() << " of " << number_
                << " receipts are missing, the first of message " << *missing_.begin()
                << ": nobody knows whether these messages arrive\n";
    }
    return false;
  }

  // Sends what may be sent now.
  void Send() {
    while (!has_sent_all_ && (is_sending_ || ComposeNext())) {
      const dory_code code =
          dory_client_send_part(client_, buffer_.data(), buffer_.size(), &written_);
      if (code == DORY_INTERRUPTED) continue;
      if (code == DORY_WOULD_BLOCK) return;
      is_sending_ = false;
      if (code != DORY_OK) return StopSending();
      PrintProgress(options_, number_);
    }
  }

  // The receipts of what was sent are still waited for.
  void StopSending() { has_failed_ = has_sent_all_ = true; }

  // False: it is not yet time for one, or there is none.
  bool ComposeNext() {
    if (Clock::now() < due_ || values_.NeedsInput(number_ + 1)) return false;
    if (!values_.Next(number_ + 1, value_)) {
      has_sent_all_ = true;
      return false;
    }
    const dory_code code = Compose(options_, ++number_, value_, buffer_);
    if (code != DORY_OK) {
      FailToSend(NameMessage(options_, number_), code);
      StopSending();
      return false;
    }
    due_ = Clock::now() + std::chrono::microseconds(options_.interval_us);
    missing_.insert(static_cast<int64_t>(number_));
    written_ = 0;
    is_sending_ = true;
    return true;
  }

  // Until there is something to do.
  void Wait() {
    const bool wants_input = !has_sent_all_ && !is_sending_ && values_.NeedsInput(number_ + 1);
    const bool is_due_later = !has_sent_all_ && !is_sending_ && !wants_input;
    const auto socket_events = static_cast<short>(is_sending_ ? POLLIN | POLLOUT : POLLIN);
    pollfd events[] = {{dory_client_fd(client_), socket_events, 0},
                       {wants_input ? STDIN_FILENO : -1, POLLIN, 0}};
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(due_ - Clock::now());
    const int64_t left_ns = std::max<int64_t>(left.count(), 0);
    const timespec timeout = {left_ns / 1'000'000'000, left_ns % 1'000'000'000};
    if (ppoll(events, 2, is_due_later ? &timeout : nullptr, nullptr) < 0) return;
    if (events[1].revents != 0 && !values_.ReadMore()) has_sent_all_ = true;
  }

  const Options& options_;
  dory_client* client_;
  ValueSource values_;
  std::string value_;
  std::vector<char> buffer_;   // the message that is being sent
  size_t written_ = 0;         // bytes of it
  bool is_sending_ = false;    // part of it is not written yet
  uint64_t number_ = 0;        // of it; its id
  Clock::time_point due_ = Clock::now();
  std::set<int64_t> missing_;  // receipts of messages that were sent, or begun
  bool has_sent_all_ = false;
  bool has_failed_ = false;
};

}  // namespace

int SendWithReceipts(const Options& options, dory_client* client) {
  return ReceiptSession(options, client).Run();
}

}  // namespace dory::client
