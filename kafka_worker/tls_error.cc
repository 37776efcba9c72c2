#include "kafka_worker/tls_error.h"

#include <openssl/err.h>

#include <cstring>

namespace dory::kafka {

std::string TakeTlsError() {
  const unsigned long code = ::ERR_get_error();
  ::ERR_clear_error();
  if (code == 0) return "no reason given";
  if (ERR_SYSTEM_ERROR(code)) return ::strerror(ERR_GET_REASON(code));
  const char* const reason = ::ERR_reason_error_string(code);
  return reason != nullptr ? reason : "OpenSSL error " + std::to_string(code);
}

}  // namespace dory::kafka
