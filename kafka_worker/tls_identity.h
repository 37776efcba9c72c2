// Who we are for TLS: a chain of certificates and its key, from PEM files.
//
// The files are read into memory that is wiped: what OpenSSL reads by itself goes through stdio's buffers, which
// are not.

#pragma once

#include "common/config.h"
#include "common/status.h"

struct ssl_ctx_st;

namespace dory::kafka {

// From here on OpenSSL wipes all that it gives back. REQUIRES: it was not used yet.
void UseWipedTlsMemory();

// Nothing where no certificate_file is set. The error names the option and the file.
Status LoadTlsIdentity(ssl_ctx_st* context, const TlsConfig& config);

// An error of a file that an option names.
Status TlsFileTrouble(const char* option, const std::string& file, const std::string& what);

}  // namespace dory::kafka
