// TLS over a socket. Small pieces are gathered, so that a TLS record is as large as may be and a write to
// the socket carries a whole one.

#pragma once

#include <memory>

#include "kafka_worker/transport.h"

struct ssl_st;

namespace dory::kafka {

inline constexpr size_t kTlsRecordBytes = 16 * 1024;

class TlsTransport : public Transport {
 public:
  // Takes `ssl` over, which is not connected yet.
  TlsTransport(FileDescriptor fd, ssl_st* ssl, std::string host);

  Result<bool> Handshake() override;
  Result<size_t> Write(std::span<const iovec> pieces) override;
  Result<size_t> Read(std::span<std::byte> room) override;
  bool HoldsInput() const override;
  bool refused() const override { return refused_; }

 private:
  struct Free {
    void operator()(ssl_st* ssl) const;
  };

  Result<size_t> WriteRecord(std::span<const std::byte> record);
  // Of a call that did not succeed: what it waits for into `waits_for`, or what failed.
  Status Judge(int returned, const char* what, IoDirection* waits_for);
  Status DescribeFailure(const char* what);
  static void Forget();

  std::unique_ptr<ssl_st, Free> ssl_;
  std::string host_;
  std::unique_ptr<std::byte[]> record_;
  bool refused_ = false;
  Status failed_ = Status::Ok();  // what the next read says: this one had something to give
};

}  // namespace dory::kafka
