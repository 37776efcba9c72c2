#include "kafka_worker/tls_context.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "common/log.h"
#include "kafka_worker/tls_error.h"
#include "kafka_worker/tls_identity.h"
#include "kafka_worker/tls_transport.h"

namespace dory::kafka {
namespace {

bool IsAddress(const std::string& host) {
  in6_addr address;
  return ::inet_pton(AF_INET, host.c_str(), &address) == 1 || ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

// Whom the certificate has to be for, and whom we say that we want.
bool SetHost(SSL* ssl, const std::string& host, bool verify) {
  if (IsAddress(host)) return !verify || ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl), host.c_str()) == 1;
  return SSL_set_tlsext_host_name(ssl, host.c_str()) == 1 && (!verify || ::SSL_set1_host(ssl, host.c_str()) == 1);
}

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const { ::SSL_CTX_free(context); }

Result<std::unique_ptr<Transport>> TlsContext::Wrap(FileDescriptor fd, const std::string& host) {
  const Status status = Refresh();
  if (!status.ok()) return status;
  ::ERR_clear_error();
  SSL* const ssl = ::SSL_new(context_.get());
  if (ssl == nullptr) return Status::Error(TakeTlsError()).Context("TLS");
  const int socket = fd.get();
  auto transport = std::make_unique<TlsTransport>(std::move(fd), ssl, host);
  if (!SetHost(ssl, host, config_.verify == TlsVerify::kFull) || ::SSL_set_fd(ssl, socket) != 1) {
    return Status::Error(TakeTlsError()).Context("TLS to " + host);
  }
  return std::unique_ptr<Transport>(std::move(transport));
}

TlsContext::Stamps TlsContext::LookAtFiles() const {
  constexpr int64_t kNs = 1'000'000'000;
  const std::string* const files[] = {&config_.ca_file, &config_.certificate_file, &config_.key_file,
                                      &config_.key_password_file};
  Stamps stamps;
  for (size_t i = 0; i < stamps.size(); ++i) {
    struct stat found{};
    if (files[i]->empty() || ::stat(files[i]->c_str(), &found) != 0) continue;
    stamps[i] = {found.st_dev, found.st_ino, found.st_size, found.st_mtim.tv_sec * kNs + found.st_mtim.tv_nsec,
                 found.st_ctim.tv_sec * kNs + found.st_ctim.tv_nsec};
  }
  return stamps;
}

// The stamps are taken first: a file that is written while it is read is read again.
Status TlsContext::Refresh() {
  const Stamps stamps = LookAtFiles();
  if (context_ != nullptr && stamps == stamps_) return Status::Ok();
  Result<Context> loaded = Load();
  stamps_ = stamps;
  if (loaded.ok()) {
    if (context_ != nullptr) LogInfo("TLS: the certificate files have changed and are in use");
    context_ = loaded.Take();
    trouble_.clear();
    return Status::Ok();
  }
  if (context_ == nullptr) return loaded.status();
  trouble_ = loaded.status().message() + "; the files before this are in use";
  LogWarning("{}", trouble_);
  return Status::Ok();
}

Result<TlsContext::Context> TlsContext::Load() const {
  ::ERR_clear_error();
  Context context(::SSL_CTX_new(::TLS_client_method()));
  if (context == nullptr) return Status::Error(TakeTlsError()).Context("TLS");
  ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  ::SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Frames say themselves where they end, so a connection that is cut is no message cut short.
  ::SSL_CTX_set_options(context.get(), SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
  ::SSL_CTX_set_quiet_shutdown(context.get(), 1);
  ::SSL_CTX_set_read_ahead(context.get(), 1);
  ::SSL_CTX_set_verify(context.get(), config_.verify == TlsVerify::kNone ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  for (const Status& status : {LoadTrust(context.get()), LoadTlsIdentity(context.get(), config_)}) {
    if (!status.ok()) return status;
  }
  return context;
}

Status TlsContext::LoadTrust(ssl_ctx_st* context) const {
  if (config_.ca_file.empty()) {
    if (::SSL_CTX_set_default_verify_paths(context) != 1) return Status::Error(TakeTlsError()).Context("TLS");
  } else if (::SSL_CTX_load_verify_file(context, config_.ca_file.c_str()) != 1) {
    return TlsFileTrouble("ca_file", config_.ca_file, TakeTlsError());
  }
  return Status::Ok();
}

}  // namespace dory::kafka
