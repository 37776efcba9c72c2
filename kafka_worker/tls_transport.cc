#include "kafka_worker/tls_transport.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kafka_worker/tls_error.h"

namespace dory::kafka {
namespace {

constexpr const char* kHandshake = "TLS handshake";
constexpr const char* kWrite = "TLS write";
constexpr const char* kRead = "TLS read";

ByteSpan AsSpan(const iovec& piece) { return {static_cast<const std::byte*>(piece.iov_base), piece.iov_len}; }

// How a broker says that it wants one, by its version of TLS and of Java.
bool IsAboutCertificate(unsigned long error) {
  const int reason = ERR_GET_REASON(error);
  return reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED || reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE ||
         reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE;
}

// The broker is not whom we want, or says that it does not want us: by any alert but the one about trouble of its own.
bool IsRefusal(unsigned long error) {
  const int reason = ERR_GET_REASON(error);
  const bool alert = reason >= SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + UINT8_MAX;
  return reason == SSL_R_CERTIFICATE_VERIFY_FAILED || (alert && reason != SSL_R_TLSV1_ALERT_INTERNAL_ERROR);
}

}  // namespace

void TlsTransport::Free::operator()(ssl_st* ssl) const { ::SSL_free(ssl); }

TlsTransport::TlsTransport(FileDescriptor fd, ssl_st* ssl, std::string host)
    : Transport(std::move(fd)), ssl_(ssl), host_(std::move(host)),
      record_(std::make_unique<std::byte[]>(kTlsRecordBytes)) {}

Result<bool> TlsTransport::Handshake() {
  Forget();
  const int done = ::SSL_connect(ssl_.get());
  if (done == 1) return true;
  const Status status = Judge(done, kHandshake, &read_waits_for_);
  write_waits_for_ = read_waits_for_;
  if (!status.ok()) return status;
  return false;
}

// The next bytes that have not been written, as many as a TLS record takes: where they lie, or gathered.
// A call that has to wait is made again with the same bytes, as OpenSSL wants it.
Result<size_t> TlsTransport::Write(std::span<const iovec> pieces) {
  size_t total = 0;
  size_t at = 0;  // in the first piece
  while (!pieces.empty()) {
    ByteSpan record = AsSpan(pieces.front()).subspan(at);
    record = record.first(std::min(record.size(), kTlsRecordBytes));
    if (record.size() < kTlsRecordBytes && pieces.size() > 1) {
      size_t gathered = 0;
      for (size_t i = 0; i < pieces.size() && gathered < kTlsRecordBytes; ++i) {
        ByteSpan part = AsSpan(pieces[i]).subspan(i == 0 ? at : 0);
        part = part.first(std::min(part.size(), kTlsRecordBytes - gathered));
        std::memcpy(record_.get() + gathered, part.data(), part.size());
        gathered += part.size();
      }
      record = {record_.get(), gathered};
    }
    Result<size_t> written = WriteRecord(record);
    if (!written.ok()) return written;
    if (written.value() == 0) break;
    total += written.value();
    at += written.value();
    while (!pieces.empty() && at >= pieces.front().iov_len) {
      at -= pieces.front().iov_len;
      pieces = pieces.subspan(1);
    }
  }
  return total;
}

Result<size_t> TlsTransport::WriteRecord(ByteSpan record) {
  if (record.empty()) return size_t{0};
  Forget();
  size_t written = 0;
  const int done = ::SSL_write_ex(ssl_.get(), record.data(), record.size(), &written);
  write_waits_for_ = kWritable;
  if (done == 1) return written;
  const Status status = Judge(done, kWrite, &write_waits_for_);
  if (!status.ok()) return status;
  return size_t{0};
}

Result<size_t> TlsTransport::Read(std::span<std::byte> room) {
  if (!failed_.ok()) return failed_;
  size_t total = 0;
  read_waits_for_ = kReadable;
  while (total < room.size()) {
    Forget();
    size_t got = 0;
    const int done = ::SSL_read_ex(ssl_.get(), room.data() + total, room.size() - total, &got);
    total += got;
    if (done == 1) continue;
    failed_ = Judge(done, kRead, &read_waits_for_);
    if (!failed_.ok() && total == 0) return failed_;
    break;
  }
  return total;
}

bool TlsTransport::HoldsInput() const { return !failed_.ok() || ::SSL_pending(ssl_.get()) > 0; }

// What failed before, so that what is found after a call is of that call.
void TlsTransport::Forget() {
  ::ERR_clear_error();
  errno = 0;
}

Status TlsTransport::Judge(int returned, const char* what, IoDirection* waits_for) {
  const int system_error = errno;
  switch (::SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_WANT_READ: *waits_for = kReadable; return Status::Ok();
    case SSL_ERROR_WANT_WRITE: *waits_for = kWritable; return Status::Ok();
    case SSL_ERROR_SYSCALL:
      if (system_error != 0) return Status::Errno(what, system_error);
      [[fallthrough]];
    case SSL_ERROR_ZERO_RETURN: {
      const bool handshake = what == kHandshake;
      return Status::Error(std::string(kClosedByBroker) + (handshake ? "; is the listener one with TLS?" : ""))
          .Context(what);
    }
    default: return DescribeFailure(what);
  }
}

Status TlsTransport::DescribeFailure(const char* what) {
  const bool wants_certificate = IsAboutCertificate(::ERR_peek_error()) && ::SSL_get_certificate(ssl_.get()) == nullptr;
  refused_ = IsRefusal(::ERR_peek_error());
  std::string text = TakeTlsError();
  if (wants_certificate) text += "; the broker asks for a certificate, see [tls] certificate_file";
  if (const long verified = ::SSL_get_verify_result(ssl_.get()); verified != X509_V_OK) {
    text += std::string(": ") + ::X509_verify_cert_error_string(verified);
    const bool name = verified == X509_V_ERR_HOSTNAME_MISMATCH || verified == X509_V_ERR_IP_ADDRESS_MISMATCH;
    if (name) text += ", the certificate is not for " + host_;
  }
  return Status::Error(text).Context(what);
}

}  // namespace dory::kafka
