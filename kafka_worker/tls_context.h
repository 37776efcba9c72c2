// What all TLS connections share: whom they trust, and who we are, from files that are read again when
// they have changed.
//
// Errors: files that can't be used are said with their option, their name and what OpenSSL says. Where
//   others were read before, these stay in use, and trouble() says so.

#pragma once

#include <array>
#include <memory>
#include <string>

#include "common/config.h"
#include "kafka_worker/transport.h"

struct ssl_ctx_st;

namespace dory::kafka {

class TlsContext {
 public:
  explicit TlsContext(const TlsConfig& config) : config_(config) {}

  // TLS over a socket that has connected to `host`, with the files as they are now.
  Result<std::unique_ptr<Transport>> Wrap(FileDescriptor fd, const std::string& host);

  // Why newer files are not in use; empty: they are.
  const std::string& trouble() const { return trouble_; }

 private:
  // Which content a file had, as far as stat can tell.
  struct Stamp {
    uint64_t device = 0, inode = 0;
    int64_t size = 0, modified_ns = 0, changed_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  using Stamps = std::array<Stamp, 4>;

  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  using Context = std::unique_ptr<ssl_ctx_st, Free>;

  Stamps LookAtFiles() const;
  Status Refresh();
  Result<Context> Load() const;
  Status LoadTrust(ssl_ctx_st* context) const;

  const TlsConfig config_;
  Stamps stamps_;
  Context context_;
  std::string trouble_;
};

}  // namespace dory::kafka
