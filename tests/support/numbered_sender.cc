// numbered_sender: the load of crash tests. Every message says who sent it and which one it is
// (numbered_message.h); what the kernel has taken is counted, and judge looks for exactly that.
//
// A message whose send() failed was not accepted: it is tried again, the same one, until it is, over
// any number of restarts of the daemon. So a report of N means the numbers 0 … N − 1, each accepted
// exactly once; had a refused one arrived, it would be there twice.
//
// Order: message i is of kind i mod 2 (both kinds) or of the one asked for; the sequence of its kind
//        chooses its key (sequence mod keys) and its topic (sequence [/ keys] mod topics).
// Errors: 1 and a report for a failure that waiting cannot mend; 2 for a wrong option.

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "clients/c/dory_client.h"
#include "tests/support/numbered_source.h"

namespace dory::tests {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

volatile std::sig_atomic_t stop_asked = 0;

void AskToStop(int) {
  stop_asked = 1;
}

struct Options : SourceOptions {
  std::string socket;
  uint32_t topic_count = 1;
  uint64_t count = 0;
  double rate = 0;
  std::string report;
  bool blocking = false;
};

// When the next message is due. A sender that was held up for over 100 ms does not make up for it.
class Pace {
 public:
  explicit Pace(double rate)
      : step_(rate > 0 ? Clock::duration(static_cast<int64_t>(1e9 / rate)) : Clock::duration(0)),
        due_(Clock::now()) {}

  void Wait() {
    if (step_.count() == 0) return;
    const Clock::time_point now = Clock::now();
    if (due_ > now) std::this_thread::sleep_until(due_);
    due_ = std::max(due_ + step_, now - milliseconds(100));
  }

 private:
  const Clock::duration step_;
  Clock::time_point due_;
};

class Sender {
 public:
  explicit Sender(const Options& options) : options_(options), source_(options) {}

  // Until the count has been sent, a signal, or a failure that waiting cannot mend.
  int Run() {
    const dory_code code = dory_client_open_datagram(options_.socket.c_str(), &client_);
    if (client_ == nullptr) return Fail("open " + options_.socket, code);
    started_ = Clock::now();
    const int exit_code = SendAll();
    const int report_code = WriteReport();
    dory_client_close(client_);
    return std::max(exit_code, report_code);
  }

 private:
  static constexpr milliseconds kReconnectDelay{5};

  static int Fail(const std::string& what, dory_code code) {
    std::cerr << "numbered_sender: " << what << ": " << dory_code_text(code);
    if (code == DORY_SYSTEM_ERROR) std::cerr << ": " << std::strerror(errno);
    std::cerr << "\n";
    return 1;
  }

  int SendAll() {
    Pace pace(options_.rate);
    for (uint64_t sent = 0; sent < options_.count || options_.count == 0; ++sent) {
      pace.Wait();
      const std::string_view message = source_.Compose();
      if (message.empty()) return Fail("compose", DORY_TOO_LARGE);
      const dory_code code = SendUntilAccepted(message);
      if (stop_asked && code != DORY_OK) return 0;
      if (code != DORY_OK) return Fail("send", code);
      source_.Accept();
      if (stop_asked) return 0;
    }
    return 0;
  }

  // DORY_OK once the message is accepted; something else if it was not and never will be.
  dory_code SendUntilAccepted(std::string_view message) {
    for (;;) {
      const dory_code code =
          dory_client_send(client_, message.data(), message.size(), DORY_DONT_WAIT);
      if (code == DORY_WOULD_BLOCK) {
        ++again_;
        if (WaitForRoom(message)) return DORY_OK;
      } else if (code == DORY_NOT_RUNNING) {
        ++refused_;
        std::this_thread::sleep_for(kReconnectDelay);
      } else if (code != DORY_INTERRUPTED) {
        return code;
      }
      if (stop_asked) return DORY_INTERRUPTED;
    }
  }

  // Waits until another attempt is worth while. With --blocking the wait is in the send itself,
  // and true means that it was accepted.
  bool WaitForRoom(std::string_view message) {
    const Clock::time_point began = Clock::now();
    bool accepted = false;
    if (options_.blocking) {
      LimitBlocking();
      const dory_code code = dory_client_send(client_, message.data(), message.size(), 0);
      accepted = code == DORY_OK;
      if (code == DORY_NOT_RUNNING) ++refused_;
    } else {
      pollfd writable = {dory_client_fd(client_), POLLOUT, 0};
      poll(&writable, 1, kSignalCheck_ms);
    }
    blocked_ += Clock::now() - began;
    return accepted;
  }

  // A signal may come right before a send that then waits: it waits this long at most.
  void LimitBlocking() {
    if (limited_) return;
    const timeval limit = {0, kSignalCheck_ms * 1000};
    setsockopt(dory_client_fd(client_), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    limited_ = true;
  }

  int WriteReport() const {
    const auto to_ms = [](Clock::duration d) {
      return std::chrono::duration_cast<milliseconds>(d).count();
    };
    const nlohmann::json report = {
        {"sender", options_.sender},
        {"sent_any", source_.accepted(Kind::kAny)},
        {"sent_key", source_.accepted(Kind::kKey)},
        {"again", again_},
        {"refused", refused_},
        {"blocked_ms", to_ms(blocked_)},
        {"elapsed_ms", to_ms(Clock::now() - started_)},
        {"topics", options_.topics},
        {"keys", options_.keys},
    };
    if (options_.report.empty()) {
      std::cout << report.dump() << "\n";
      return 0;
    }
    // Under another name first: who waits for the file never reads half of it.
    const std::string unfinished = options_.report + ".new";
    std::ofstream(unfinished) << report.dump() << "\n";
    if (std::rename(unfinished.c_str(), options_.report.c_str()) == 0) return 0;
    std::cerr << "numbered_sender: " << options_.report << ": " << std::strerror(errno) << "\n";
    return 1;
  }

  static constexpr int kSignalCheck_ms = 100;

  const Options& options_;
  MessageSource source_;
  dory_client* client_ = nullptr;
  Clock::time_point started_;
  Clock::duration blocked_{};
  uint64_t again_ = 0;    // EAGAIN
  uint64_t refused_ = 0;  // nobody there: ECONNREFUSED, ENOENT
  bool limited_ = false;
};

void AddOptions(CLI::App& app, Options& options) {
  app.add_option("--socket", options.socket, "UNIX datagram socket of Dory")->required();
  auto* number = app.add_option("--topics", options.topic_count, "send to t0 ... t<N-1>, in turn");
  app.add_option("--topic", options.topics, "send to these topics, in turn")->excludes(number);
  app.add_option("--sender", options.sender, "this sender's number");
  app.add_option("--count", options.count, "messages to send (0: until SIGTERM)");
  app.add_option("--rate", options.rate, "messages a second (0: as many as possible)");
  app.add_option("--size", options.sizes, "bytes of a value; several: in turn")
      ->delimiter(',')
      ->check(CLI::Range(kNumberedTextSize, size_t{100} << 20));
  app.add_option("--kinds", options.kinds, "any, key or any,key (in turn)")
      ->delimiter(',')
      ->check(CLI::IsMember({"any", "key"}));
  app.add_option("--keys", options.keys, "partition keys 0 ... K-1")
      ->check(CLI::Range(1u, 1u << 31));
  app.add_option("--report", options.report, "file for the JSON report (default: stdout)");
  app.add_flag("--blocking", options.blocking, "wait in send() instead of poll()");
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Sends numbered messages to Dory and reports how many were accepted.");
  AddOptions(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (options.topics.empty()) {
    for (uint32_t i = 0; i < std::max(options.topic_count, 1u); ++i) {
      options.topics.push_back("t" + std::to_string(i));
    }
  }
  struct sigaction action = {};
  action.sa_handler = AskToStop;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  return Sender(options).Run();
}

}  // namespace
}  // namespace dory::tests

int main(int argc, char** argv) {
  return dory::tests::Main(argc, argv);
}
