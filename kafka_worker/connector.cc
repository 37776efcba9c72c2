#include "kafka_worker/connector.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

#include "kafka_worker/plain_transport.h"

namespace dory::kafka {

Connector::Connector(EventLoop& loop, HostPort address, TlsContext* tls, EndCallback on_end,
                     NameLookup::Function look_up)
    : loop_(loop),
      address_(address),
      tls_(tls),
      on_end_(std::move(on_end)),
      lookup_(loop, std::move(address),
              [this](Result<SocketAddresses> found) { OnAddresses(std::move(found)); }, std::move(look_up)),
      deadline_(loop, [this] { OnDeadline(); }) {}

void Connector::Start() {
  reached_broker_ = refused_ = false;
  deadline_.StartOnce(kConnectTimeoutMs);
  lookup_.Start();
}

void Connector::OnAddresses(Result<SocketAddresses> found) {
  if (!found.ok()) return End(found.status());
  addresses_ = found.Take();
  tried_ = 0;
  TryNextAddress(Status::Ok());
}

void Connector::TryNextAddress(Status why) {
  for (; tried_ < addresses_.size(); ++at_) {
    ++tried_;
    at_ %= addresses_.size();
    why = BeginToConnect(addresses_[at_]);
    if (why.ok()) return;
  }
  End(why);
}

std::string Connector::ConnectWhat() const {
  const std::string host = ShowHost(addresses_[at_]);
  return host == address_.host ? "connect" : "connect to " + host;
}

Status Connector::BeginToConnect(const SocketAddress& address) {
  if (watcher_ != nullptr) watcher_->Watch(0);  // before its descriptor may be another's
  fd_.Reset(::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd_.valid()) return Status::Errno("socket");
  const int one = 1;
  ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  const auto* const plain = reinterpret_cast<const sockaddr*>(&address.bytes);
  if (::connect(fd_.get(), plain, address.size) != 0 && errno != EINPROGRESS) return Status::Errno(ConnectWhat());
  deadline_.StartOnce(kConnectTimeoutMs);
  retired_watcher_ = std::move(watcher_);
  watcher_ = std::make_unique<IoWatcher>(loop_, fd_.get(), [this](int) { OnSocket(); });
  watcher_->Watch(kWritable);
  return Status::Ok();
}

void Connector::OnSocket() {
  if (transport_ == nullptr) {
    FinishConnecting();
  } else {
    Shake();
  }
}

void Connector::FinishConnecting() {
  int error = 0;
  socklen_t size = sizeof(error);
  ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    const Status why = Status::Errno(ConnectWhat(), error);
    ++at_;
    return TryNextAddress(why);
  }
  reached_broker_ = true;
  Result<std::unique_ptr<Transport>> wrapped = Wrap();
  if (!wrapped.ok()) return End(wrapped.status());
  transport_ = wrapped.Take();
  Shake();
}

Result<std::unique_ptr<Transport>> Connector::Wrap() {
  if (tls_ != nullptr) return tls_->Wrap(std::move(fd_), address_.host);
  return std::unique_ptr<Transport>(std::make_unique<PlainTransport>(std::move(fd_)));
}

void Connector::Shake() {
  const Result<bool> done = transport_->Handshake();
  if (!done.ok()) {
    refused_ = transport_->refused();
    ++at_;
    return End(done.status());
  }
  if (done.value()) return End(std::move(transport_));
  watcher_->Watch(transport_->read_waits_for());
}

void Connector::OnDeadline() {
  if (transport_ != nullptr) return End(Status::Error("TLS handshake: no answer in time"));
  if (!fd_.valid()) {
    lookup_.Cancel();
    return End(Status::Error("resolve: no answer in time"));
  }
  const Status why = Status::Error(ConnectWhat() + ": no answer in time");
  ++at_;
  TryNextAddress(why);
}

void Connector::Cancel() {
  lookup_.Cancel();
  deadline_.Stop();
  if (watcher_ != nullptr) watcher_->Watch(0);
  if (watcher_ != nullptr) retired_watcher_ = std::move(watcher_);
  transport_.reset();
  fd_.Reset();
}

void Connector::End(Result<std::unique_ptr<Transport>> end) {
  Cancel();
  on_end_(std::move(end));
}

}  // namespace dory::kafka
