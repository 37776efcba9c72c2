#include "kafka_worker/tls_identity.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include <algorithm>
#include <memory>

#include "kafka_worker/secret.h"
#include "kafka_worker/tls_error.h"

namespace dory::kafka {
namespace {

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Bio = std::unique_ptr<BIO, Freed<::BIO_free_all>>;
using Certificate = std::unique_ptr<X509, Freed<::X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<::EVP_PKEY_free>>;

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

// Reads in place.
Bio View(const Secret& pem) { return Bio(::BIO_new_mem_buf(pem.bytes().data(), static_cast<int>(pem.bytes().size()))); }

Status TlsTrouble() { return Status::Error(TakeTlsError()); }

// Ours first, then the ones above it, as SSL_CTX_use_certificate_chain_file(3) has them.
Status UseChain(ssl_ctx_st* context, const Secret& pem) {
  const Bio bio = View(pem);
  const Certificate own(::PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr));
  if (own == nullptr || ::SSL_CTX_use_certificate(context, own.get()) != 1) return TlsTrouble();
  SSL_CTX_clear_chain_certs(context);
  while (X509* above = ::PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context, above) == 1) continue;
    ::X509_free(above);
    return TlsTrouble();
  }
  if (ERR_GET_REASON(::ERR_peek_last_error()) != PEM_R_NO_START_LINE) return TlsTrouble();
  ::ERR_clear_error();
  return Status::Ok();
}

Status UseKey(ssl_ctx_st* context, const Secret& pem, KeyPassword* password) {
  const Bio bio = View(pem);
  const Key key(::PEM_read_bio_PrivateKey(bio.get(), nullptr, GivePassword, password));
  if (key != nullptr && ::SSL_CTX_use_PrivateKey(context, key.get()) == 1) return Status::Ok();
  const bool lacks_password = password->wanted && password->secret.empty();
  if (lacks_password) ::ERR_clear_error();
  return lacks_password ? Status::Error("the key is encrypted, and there is no [tls] key_password_file") : TlsTrouble();
}

// Reads the file and uses it.
template <typename Use>
Status UseFile(const char* option, const std::string& file, Use use) {
  const Result<Secret> pem = ReadWholeSecretFile(file);
  const Status status = pem.ok() ? use(pem.value()) : pem.status();
  return status.ok() ? status : TlsFileTrouble(option, file, status.message());
}

}  // namespace

Status TlsFileTrouble(const char* option, const std::string& file, const std::string& what) {
  return Status::Error(what).Context(file).Context(std::string("[tls] ") + option);
}

void UseWipedTlsMemory() {
  const int set = ::CRYPTO_set_mem_functions([](size_t size, const char*, int) { return ::malloc(size); },
                                             [](void* memory, size_t size, const char*, int) { return MoveWiped(memory, size); },
                                             [](void* memory, const char*, int) { FreeWiped(memory); });
  if (set != 1) std::abort();
}

Status LoadTlsIdentity(ssl_ctx_st* context, const TlsConfig& config) {
  if (config.certificate_file.empty()) return Status::Ok();
  KeyPassword password;
  if (!config.key_password_file.empty()) {
    Result<Secret> read = ReadSecretFile(config.key_password_file);
    if (!read.ok()) return TlsFileTrouble("key_password_file", config.key_password_file, read.status().message());
    password.secret = read.Take();
  }
  Status status = UseFile("certificate_file", config.certificate_file,
                          [&](const Secret& pem) { return UseChain(context, pem); });
  if (status.ok()) {
    const bool own_file = !config.key_file.empty();
    status = UseFile(own_file ? "key_file" : "certificate_file", own_file ? config.key_file : config.certificate_file,
                     [&](const Secret& pem) { return UseKey(context, pem, &password); });
  }
  WipeStackBelow();  // OpenSSL wipes its own copies; registers with parts of them were saved there
  return status;
}

}  // namespace dory::kafka
