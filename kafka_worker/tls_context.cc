#include "kafka_worker/tls_context.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>

#include "common/log.h"
#include "kafka_worker/secret.h"
#include "kafka_worker/tls_error.h"
#include "kafka_worker/tls_transport.h"

namespace dory::kafka {
namespace {

Status FileTrouble(const char* option, const std::string& file, const std::string& what) {
  return Status::Error(what).Context(file).Context(std::string("[tls] ") + option);
}

struct KeyPassword {
  Secret secret;
  bool wanted = false;  // the key is encrypted
};

// Never asks on a terminal.
int GivePassword(char* room, int size, int, void* key_password) {
  if (key_password == nullptr) return -1;
  auto& [secret, wanted] = *static_cast<KeyPassword*>(key_password);
  wanted = true;
  const ByteSpan password = secret.bytes();
  const size_t length = std::min(password.size(), static_cast<size_t>(size));
  std::copy_n(password.begin(), length, reinterpret_cast<std::byte*>(room));
  return length == 0 ? -1 : static_cast<int>(length);
}

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
  for (const Status& status : {LoadTrust(context.get()), LoadIdentity(context.get())}) {
    if (!status.ok()) return status;
  }
  return context;
}

Status TlsContext::LoadTrust(ssl_ctx_st* context) const {
  if (config_.ca_file.empty()) {
    if (::SSL_CTX_set_default_verify_paths(context) != 1) return Status::Error(TakeTlsError()).Context("TLS");
  } else if (::SSL_CTX_load_verify_file(context, config_.ca_file.c_str()) != 1) {
    return FileTrouble("ca_file", config_.ca_file, TakeTlsError());
  }
  return Status::Ok();
}

Status TlsContext::LoadIdentity(ssl_ctx_st* context) const {
  if (config_.certificate_file.empty()) return Status::Ok();
  KeyPassword password;
  if (!config_.key_password_file.empty()) {
    Result<Secret> read = ReadSecretFile(config_.key_password_file);
    if (!read.ok()) return FileTrouble("key_password_file", config_.key_password_file, read.status().message());
    password.secret = read.Take();
  }
  ::SSL_CTX_set_default_passwd_cb(context, GivePassword);
  ::SSL_CTX_set_default_passwd_cb_userdata(context, &password);
  Status status = Status::Ok();
  const bool own_key_file = !config_.key_file.empty();
  const std::string& key_file = own_key_file ? config_.key_file : config_.certificate_file;
  if (::SSL_CTX_use_certificate_chain_file(context, config_.certificate_file.c_str()) != 1) {
    status = FileTrouble("certificate_file", config_.certificate_file, TakeTlsError());
  } else if (::SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    const bool lacks_password = password.wanted && password.secret.empty();
    status = FileTrouble(own_key_file ? "key_file" : "certificate_file", key_file,
                         lacks_password ? "the key is encrypted, and there is no [tls] key_password_file" : TakeTlsError());
  }
  ::SSL_CTX_set_default_passwd_cb_userdata(context, nullptr);
  WipeStackBelow();  // OpenSSL wipes its own copies; registers with parts of them were saved there
  return status;
}

}  // namespace dory::kafka
