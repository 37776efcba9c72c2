// From a broker's name to a transport that carries bytes: look the name up, try its addresses in turn,
// shake hands where there is TLS.
//
// Owner: BrokerConnection, for all of its attempts. Everything is driven by the event loop.
// Order: the address that worked last is tried first, and after one with which TLS failed the next.
// Errors: an attempt ends once, with a transport, or with what the last address said.

#pragma once

#include <functional>
#include <memory>

#include "common/event_loop.h"
#include "common/status.h"
#include "common/units.h"
#include "kafka_worker/name_lookup.h"
#include "kafka_worker/tls_context.h"
#include "kafka_worker/transport.h"

namespace dory::kafka {

inline constexpr int64_t kConnectTimeoutMs = 10'000;  // a lookup; an address with its handshake

class Connector {
 public:
  using EndCallback = std::function<void(Result<std::unique_ptr<Transport>>)>;

  // `tls`: null where there is none. `look_up` is what finds a name's addresses.
  Connector(EventLoop& loop, HostPort address, TlsContext* tls, EndCallback on_end,
            NameLookup::Function look_up = &NameLookup::AskSystem);

  // May end before it returns.
  void Start();
  void Cancel();

  // Whether the attempt came as far as to a broker that accepted it.
  bool reached_broker() const { return reached_broker_; }

  // Whether it ended by a definite word about who either side is.
  bool refused() const { return refused_; }

 private:
  void OnAddresses(Result<SocketAddresses> found);
  void TryNextAddress(Status why);
  Status BeginToConnect(const SocketAddress& address);
  void OnSocket();
  void FinishConnecting();
  void Shake();
  void OnDeadline();
  void End(Result<std::unique_ptr<Transport>> end);
  std::string ConnectWhat() const;
  Result<std::unique_ptr<Transport>> Wrap();

  EventLoop& loop_;
  HostPort address_;
  TlsContext* tls_;
  EndCallback on_end_;
  NameLookup lookup_;
  Timer deadline_;
  SocketAddresses addresses_;
  size_t at_ = 0;     // in them
  size_t tried_ = 0;  // in this attempt
  bool reached_broker_ = false;
  bool refused_ = false;
  FileDescriptor fd_;                      // while it connects
  std::unique_ptr<Transport> transport_;   // while it shakes hands
  std::unique_ptr<IoWatcher> watcher_;
  std::unique_ptr<IoWatcher> retired_watcher_;  // its callback may be the one that runs
};

}  // namespace dory::kafka
