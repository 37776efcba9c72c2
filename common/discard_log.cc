#include "common/discard_log.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>

#include "common/base64.h"
#include "common/clock.h"
#include "common/log.h"

namespace dory {
namespace {

constexpr size_t kMostWaiting = 1 << 20;  // bytes of lines
constexpr auto kFinishLimit = std::chrono::seconds(1);

// A line stays one, and of text, whatever a client has called its topic.
std::string OnOneLine(std::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (c < ' ' || c > '~') c = '?';
  }
  return line;
}

}  // namespace

std::string FormatDiscardLine(const DiscardLine& line, int64_t now_ms, size_t most) {
  const std::string topic = OnOneLine(line.topic);
  const std::string key = EncodeBase64(line.key.first(std::min(line.key.size(), most)));
  const std::string message = EncodeBase64(line.message.first(std::min(line.message.size(), most)));
  return fmt::format("now: {} ts: {} event: {} info: {} topic: {}[{}] key: {}[{}] msg: {}[{}]\n", now_ms,
                     line.timestamp_ms, line.is_duplicate ? "DUP" : "DISC", line.reason, topic.size(), topic,
                     line.key.size(), key, line.message.size(), message);
}

// The thread and what it shares with the worker.
class DiscardLog::Writer : public std::enable_shared_from_this<Writer> {
 public:
  explicit Writer(const DiscardLogSettings& settings) : file_(settings.path, settings.limits) {}

  // Signals are the worker's.
  void Start() {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread([self = shared_from_this()] { self->Run(); }).detach();
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  // False: too much waits already.
  bool Add(const std::string& line) {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() + line.size() > kMostWaiting) return false;
    waiting_ += line;
    changed_.notify_all();
    return true;
  }

  std::string Trouble() const {
    const std::lock_guard lock(mutex_);
    return trouble_;
  }

  void Finish() {
    std::unique_lock lock(mutex_);
    ends_ = true;
    changed_.notify_all();
    changed_.wait_for(lock, kFinishLimit, [this] { return ended_; });
  }

 private:
  void Run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return ends_ || !waiting_.empty(); });
      if (waiting_.empty()) break;
      std::string lines;
      lines.swap(waiting_);
      lock.unlock();
      const Status status = file_.Append(lines);
      lock.lock();
      trouble_ = status.message();
    }
    ended_ = true;
    changed_.notify_all();
  }

  RotatedFile file_;  // the thread's alone
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string waiting_;
  std::string trouble_;
  bool ends_ = false;
  bool ended_ = false;
};

DiscardLogSettings DiscardLogSettingsOf(const Config& config) {
  return {config.discard_log_path,
          {static_cast<uint64_t>(config.discard_log_max_file_size),
           static_cast<uint64_t>(config.discard_log_max_archive_size)},
          static_cast<size_t>(config.discard_log_max_prefix)};
}

void DiscardLog::Configure(const DiscardLogSettings& settings) {
  if (settings == settings_) return;
  Finish();
  settings_ = settings;
  if (settings_.path.empty()) return;
  writer_ = std::make_shared<Writer>(settings_);
  writer_->Start();
}

void DiscardLog::Finish() {
  if (writer_ == nullptr) return;
  writer_->Finish();
  writer_.reset();
}

bool DiscardLog::IsWithinRate(int64_t now_ms) {
  if (now_ms / 1000 != second_) {
    if (left_out_ > 0) LogWarning("{} lines were left out of the discard log", left_out_);
    second_ = now_ms / 1000;
    lines_ = 0;
    left_out_ = 0;
  }
  return ++lines_ <= kLinesPerSecond;
}

void DiscardLog::Add(const DiscardLine& line) {
  if (writer_ == nullptr) return;
  const int64_t now_ms = WallClockMs();
  if (!IsWithinRate(now_ms) || !writer_->Add(FormatDiscardLine(line, now_ms, settings_.max_prefix))) ++left_out_;
  SayTrouble();
}

// Said when it changes.
void DiscardLog::SayTrouble() {
  const std::string trouble = Trouble();
  if (trouble == said_) return;
  said_ = trouble;
  if (trouble.empty()) {
    LogInfo("the discard log is written again");
  } else {
    LogWarning("the discard log is not written: {}", trouble);
  }
}

std::string DiscardLog::Trouble() const { return writer_ == nullptr ? "" : writer_->Trouble(); }

}  // namespace dory
