#include "kafka_worker/sasl_client.h"

#include <sasl/sasl.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <array>
#include <mutex>

#include "common/text_check.h"
#include "kafka_worker/oauth_bearer.h"

namespace dory::kafka {
namespace {

constexpr const char* kMechanisms[] = {"none", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", "OAUTHBEARER"};

// ---- the library: it forgets nothing that it gives back, so it gives it back wiped ----------------

void* MakeMutex() { return new std::mutex; }
int LockMutex(void* mutex) {
  static_cast<std::mutex*>(mutex)->lock();
  return SASL_OK;
}
int UnlockMutex(void* mutex) {
  static_cast<std::mutex*>(mutex)->unlock();
  return SASL_OK;
}
void FreeMutex(void* mutex) { delete static_cast<std::mutex*>(mutex); }

int LogNothing(void*, int, const char*) { return SASL_OK; }  // what matters is in sasl_errdetail

using AnyCallback = int (*)();

template <typename Function>
AnyCallback Erase(Function function) {
  return reinterpret_cast<AnyCallback>(reinterpret_cast<void (*)()>(function));
}

// Once a process. A keytab is told to Kerberos as it wants to hear of it: by the environment.
Status BeginLibrary(const SaslConfig& config) {
  if (!config.keytab_file.empty()) {
    ::setenv("KRB5_CLIENT_KTNAME", config.keytab_file.c_str(), 1);
    ::setenv("KRB5CCNAME", "MEMORY:dory", 1);
  }
  static const sasl_callback_t callbacks[] = {{SASL_CB_LOG, Erase(LogNothing), nullptr},
                                              {SASL_CB_LIST_END, nullptr, nullptr}};
  static const int begun = [] {
    ::sasl_set_mutex(MakeMutex, LockMutex, UnlockMutex, FreeMutex);
    ::sasl_set_alloc(::malloc, ::calloc, MoveWiped, FreeWiped);
    return ::sasl_client_init(callbacks);
  }();
  if (begun == SASL_OK) return Status::Ok();
  return Status::Error(::sasl_errstring(begun, nullptr, nullptr)).Context("Cyrus SASL");
}

// ---- one conversation ----------------------------------------------------------------------------

class CyrusClient : public SaslClient {
 public:
  CyrusClient(const SaslConfig& config, std::string host)
      : mechanism_(NameMechanism(config.mechanism)),
        username_(config.username),
        service_(config.service_name),
        host_(std::move(host)) {}
  ~CyrusClient() override {
    if (connection_ != nullptr) ::sasl_dispose(&connection_);
    FreeWiped(password_);
  }

  void SetPassword(const Secret& secret) {
    const ByteSpan bytes = secret.bytes();
    password_ = static_cast<sasl_secret_t*>(::calloc(1, sizeof(sasl_secret_t) + bytes.size()));
    password_->len = bytes.size();
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::byte*>(password_->data));
  }

  // The library looks up what this host is called when a conversation begins; GSSAPI asks for a ticket.
  bool may_block() const override { return !started_ || mechanism_ == NameMechanism(SaslMechanism::kGssapi); }

  Result<Secret> Next(ByteSpan challenge) override {
    if (connection_ == nullptr) {
      const Status opened = Open();
      if (!opened.ok()) return opened;
    }
    const char* token = nullptr;
    unsigned size = 0;
    const char* ignored = nullptr;
    const int status = started_ ? ::sasl_client_step(connection_, AsText(challenge).data(),
                                                     static_cast<unsigned>(challenge.size()), nullptr, &token, &size)
                                : ::sasl_client_start(connection_, mechanism_, nullptr, &token, &size, &ignored);
    if (!started_ && status == SASL_NOMECH) {
      return Status::Error("Cyrus SASL has no such mechanism here; on Debian it is in libsasl2-modules, GSSAPI in "
                           "libsasl2-modules-gssapi-mit");
    }
    started_ = true;
    if (status != SASL_OK && status != SASL_CONTINUE) return Status::Error(Quote(::sasl_errdetail(connection_)));
    done_ = status == SASL_OK;
    return Secret(AsBytes({token, token == nullptr ? 0 : size}));
  }

 private:
  Status Open() {
    callbacks_ = {{{SASL_CB_USER, Erase(GiveName), nullptr},  // as whom to act: as who we are
                   {SASL_CB_AUTHNAME, Erase(GiveName), this},
                   {SASL_CB_PASS, Erase(GivePassword), this},
                   {SASL_CB_LIST_END, nullptr, nullptr}}};
    const int opened =
        ::sasl_client_new(service_.c_str(), host_.c_str(), nullptr, nullptr, callbacks_.data(), 0, &connection_);
    if (opened != SASL_OK) return Status::Error(::sasl_errstring(opened, nullptr, nullptr));
    sasl_security_properties_t no_layers{};
    ::sasl_setprop(connection_, SASL_SEC_PROPS, &no_layers);
    return Status::Ok();
  }

  static int GiveName(void* client, int, const char** name, unsigned* size) {
    *name = client == nullptr ? "" : static_cast<CyrusClient*>(client)->username_.c_str();
    if (size != nullptr) *size = static_cast<unsigned>(::strlen(*name));
    return SASL_OK;
  }

  static int GivePassword(sasl_conn_t*, void* client, int, sasl_secret_t** secret) {
    *secret = static_cast<CyrusClient*>(client)->password_;
    return *secret == nullptr ? SASL_FAIL : SASL_OK;
  }

  const char* mechanism_;
  std::string username_;
  std::string service_;
  std::string host_;
  sasl_secret_t* password_ = nullptr;
  std::array<sasl_callback_t, 4> callbacks_{};
  sasl_conn_t* connection_ = nullptr;
  bool started_ = false;
};

Result<Secret> ReadSecretOption(const char* option, const std::string& file) {
  Result<Secret> secret = ReadSecretFile(file);
  if (!secret.ok()) return secret.status().Context(file).Context(std::string("[sasl] ") + option);
  return secret;
}

}  // namespace

const char* NameMechanism(SaslMechanism mechanism) { return kMechanisms[static_cast<size_t>(mechanism)]; }

Result<std::unique_ptr<SaslClient>> SaslClient::Make(const SaslConfig& config, const std::string& host) {
  if (config.mechanism == SaslMechanism::kOauthbearer) {
    if (!config.token_command.empty()) {
      return std::unique_ptr<SaslClient>(std::make_unique<OauthBearer>(config.token_command));
    }
    Result<Secret> token = ReadSecretOption("token_file", config.token_file);
    if (!token.ok()) return token.status();
    return std::unique_ptr<SaslClient>(std::make_unique<OauthBearer>(token.Take()));
  }
  Status status = BeginLibrary(config);
  if (!status.ok()) return status;
  auto client = std::make_unique<CyrusClient>(config, host);
  if (!config.password_file.empty()) {
    const Result<Secret> password = ReadSecretOption("password_file", config.password_file);
    if (!password.ok()) return password.status();
    client->SetPassword(password.value());
  }
  return std::unique_ptr<SaslClient>(std::move(client));
}

}  // namespace dory::kafka
