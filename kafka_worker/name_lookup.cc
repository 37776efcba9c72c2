#include "kafka_worker/name_lookup.h"

#include <netdb.h>
#include <sys/eventfd.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "common/file_descriptor.h"

namespace dory::kafka {
namespace {

std::atomic<int> running_lookups = 0;

// `flags`: AI_NUMERICHOST asks nobody.
Result<SocketAddresses> Ask(const HostPort& name, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* first = nullptr;
  const std::string port = std::to_string(name.port);
  if (const int error = ::getaddrinfo(name.host.c_str(), port.c_str(), &hints, &first)) {
    return Status::Error(error == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(error)).Context("resolve");
  }
  SocketAddresses found;
  for (const addrinfo* at = first; at != nullptr; at = at->ai_next) {
    SocketAddress& address = found.emplace_back();
    std::memcpy(&address.bytes, at->ai_addr, at->ai_addrlen);
    address.size = at->ai_addrlen;
  }
  ::freeaddrinfo(first);
  if (found.empty()) return Status::Error("no addresses").Context("resolve");
  return found;
}

}  // namespace

struct NameLookup::Shared {
  FileDescriptor bell{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex mutex;
  std::optional<Result<SocketAddresses>> found;
};

std::string ShowHost(const SocketAddress& address) {
  char host[NI_MAXHOST];
  const auto* const plain = reinterpret_cast<const sockaddr*>(&address.bytes);
  if (::getnameinfo(plain, address.size, host, sizeof(host), nullptr, 0, NI_NUMERICHOST) != 0) return "?";
  return host;
}

NameLookup::NameLookup(EventLoop& loop, HostPort name, Callback callback, Function look_up)
    : loop_(loop), name_(std::move(name)), callback_(std::move(callback)), look_up_(std::move(look_up)) {}

NameLookup::~NameLookup() = default;

Result<SocketAddresses> NameLookup::AskSystem(const HostPort& name) { return Ask(name, 0); }

void NameLookup::Start() {
  if (Result<SocketAddresses> address = Ask(name_, AI_NUMERICHOST); address.ok()) {
    callback_(std::move(address));
    return;
  }
  waiting_ = true;
  if (running_) return;
  const Status status = BeginThread();
  if (status.ok()) return;
  waiting_ = false;
  callback_(status.Context("resolve"));
}

Status NameLookup::BeginThread() {
  if (shared_ == nullptr) {
    shared_ = std::make_shared<Shared>();
    if (!shared_->bell.valid()) return Status::Errno("eventfd");
    watcher_ = std::make_unique<IoWatcher>(loop_, shared_->bell.get(), [this](int) { OnBell(); });
    watcher_->Watch(kReadable);
  }
  if (running_lookups.fetch_add(1) >= kMaxLookups) {
    running_lookups.fetch_sub(1);
    return Status::Error(std::to_string(kMaxLookups) + " lookups do not come to an end");
  }
  try {
    std::thread([shared = shared_, name = name_, look_up = look_up_] {
      Result<SocketAddresses> found = look_up(name);
      {
        const std::lock_guard lock(shared->mutex);
        shared->found = std::move(found);
      }
      running_lookups.fetch_sub(1);
      ::eventfd_write(shared->bell.get(), 1);
    }).detach();
  } catch (const std::system_error& error) {
    running_lookups.fetch_sub(1);
    return Status::Error(error.what());
  }
  running_ = true;
  return Status::Ok();
}

void NameLookup::OnBell() {
  eventfd_t ignored;
  ::eventfd_read(shared_->bell.get(), &ignored);
  std::optional<Result<SocketAddresses>> found;
  {
    const std::lock_guard lock(shared_->mutex);
    found = std::exchange(shared_->found, std::nullopt);
  }
  if (!found) return;
  running_ = false;
  if (std::exchange(waiting_, false)) callback_(std::move(*found));
}

}  // namespace dory::kafka
