#include "common/control_link.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "common/bytes.h"
#include "common/clock.h"

namespace dory {
namespace {

constexpr size_t kPrefix = sizeof(int32_t);
constexpr int32_t kMaxFrame = 64 << 20;  // the status of 65,535 topics with the longest names takes 40 MB
constexpr int kReadsPerTurn = 16;  // then the loop's other watchers have theirs

std::byte* BytesOf(std::string& text) { return reinterpret_cast<std::byte*>(text.data()); }

}  // namespace

struct ControlLink::Impl {
  enum class TakeFrame { kTaken, kIncomplete, kBad };
  enum class ReadSome { kSome, kNothing, kEnd };

  int fd;
  std::function<void(const std::string&)> on_frame;
  std::function<void(const std::string&)> on_end;
  std::unique_ptr<IoWatcher> watcher;
  std::string input;   // read, not yet handed over
  std::string output;  // sent, not yet taken by the kernel
  std::string end_reason;
  bool ended = false;
  bool shutting_down = false;
  bool shut_down = false;

  void End(const std::string& reason) {
    if (ended) return;
    ended = true;
    watcher->Watch(0);
    on_end(reason);
  }

  void UpdateWatch() {
    if (!ended) watcher->Watch(output.empty() ? kReadable : kReadable | kWritable);
  }

  ReadSome Read() {
    std::array<char, 16384> buffer;
    const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size > 0) {
      input.append(buffer.data(), static_cast<size_t>(size));
      return ReadSome::kSome;
    }
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return ReadSome::kNothing;
    end_reason = size == 0 ? "closed by the peer" : Status::Errno("recv").message();
    return ReadSome::kEnd;
  }

  // The oldest complete frame leaves `input` before anybody looks at it, so that its handler may
  // call WaitForFrame.
  TakeFrame Take(std::string* frame) {
    if (input.size() < kPrefix) return TakeFrame::kIncomplete;
    const int32_t size = LoadBigEndian<int32_t>(BytesOf(input));
    if (size < 0 || size > kMaxFrame) {
      end_reason = "a frame of " + std::to_string(size) + " bytes";
      return TakeFrame::kBad;
    }
    const size_t whole = kPrefix + static_cast<size_t>(size);
    if (input.size() < whole) return TakeFrame::kIncomplete;
    frame->assign(input, kPrefix, static_cast<size_t>(size));
    input.erase(0, whole);
    return TakeFrame::kTaken;
  }

  // Hands over what is complete; false: the link ended meanwhile.
  bool HandOver() {
    std::string frame;
    while (!ended) {
      const TakeFrame taken = Take(&frame);
      if (taken == TakeFrame::kIncomplete) return true;
      if (taken == TakeFrame::kBad) {
        End(end_reason);
        return false;
      }
      on_frame(frame);
    }
    return false;
  }

  void OnReadable() {
    for (int turn = 0; turn < kReadsPerTurn; ++turn) {
      const ReadSome read = Read();
      if (read == ReadSome::kNothing) return;
      if (read == ReadSome::kEnd) return End(end_reason);
      if (!HandOver()) return;
    }
  }

  void Flush() {
    while (!output.empty()) {
      const ssize_t size = ::send(fd, output.data(), output.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0 && errno == EAGAIN) break;
      if (size < 0) {
        // The reading side tells the end, from the loop, after what the peer had still said.
        output.clear();
        ::shutdown(fd, SHUT_WR);
        shut_down = true;
        break;
      }
      output.erase(0, static_cast<size_t>(size));
    }
    if (output.empty() && shutting_down && !shut_down) {
      ::shutdown(fd, SHUT_WR);
      shut_down = true;
    }
    UpdateWatch();
  }

  void OnReady(int directions) {
    if ((directions & kWritable) != 0) Flush();
    if ((directions & kReadable) != 0) OnReadable();
  }
};

ControlLink::ControlLink(EventLoop& loop, int fd, std::function<void(const std::string& frame)> on_frame,
                         std::function<void(const std::string& reason)> on_end)
    : impl_(std::make_unique<Impl>()) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  impl_->fd = fd;
  impl_->on_frame = std::move(on_frame);
  impl_->on_end = std::move(on_end);
  impl_->watcher = std::make_unique<IoWatcher>(
      loop, fd, [impl = impl_.get()](int directions) { impl->OnReady(directions); });
  impl_->UpdateWatch();
}

ControlLink::~ControlLink() {
  impl_->watcher.reset();
  ::close(impl_->fd);
}

void ControlLink::Send(const google::protobuf::MessageLite& message) {
  if (impl_->ended || impl_->shutting_down || impl_->shut_down) return;
  const std::string body = message.SerializeAsString();
  std::string prefix(kPrefix, '\0');
  StoreBigEndian(BytesOf(prefix), static_cast<int32_t>(body.size()));
  impl_->output += prefix;
  impl_->output += body;
  impl_->Flush();
}

void ControlLink::Shutdown() {
  impl_->shutting_down = true;
  impl_->Flush();
}

void ControlLink::Fail(const std::string& reason) { impl_->End(reason); }

Result<bool> ControlLink::WaitForFrame(int64_t timeout_ms, std::string* frame) {
  const int64_t deadline_ms = MonotonicMs() + timeout_ms;
  while (true) {
    const Impl::TakeFrame taken = impl_->Take(frame);
    if (taken == Impl::TakeFrame::kTaken) return true;
    if (taken == Impl::TakeFrame::kBad) return Status::Error(impl_->end_reason);
    const int64_t left_ms = deadline_ms - MonotonicMs();
    if (left_ms < 0) return false;
    const short writable = impl_->output.empty() ? 0 : POLLOUT;
    pollfd poll_fd{impl_->fd, static_cast<short>(POLLIN | writable), 0};
    if (::poll(&poll_fd, 1, static_cast<int>(left_ms)) < 0 && errno != EINTR) return Status::Errno("poll");
    if ((poll_fd.revents & POLLOUT) != 0) impl_->Flush();
    if ((poll_fd.revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
    if (impl_->Read() == Impl::ReadSome::kEnd) return Status::Error(impl_->end_reason);
  }
}

int ControlLink::fd() const { return impl_->fd; }

}  // namespace dory
