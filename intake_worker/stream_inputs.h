// The lane's stream connections in the event loop: taken over from the supervisor, read when they are ready,
// closed at their end.
//
// Order: what an earlier life has left is published before any connection is opened or read (Settle). A
//   connection's descriptor is closed, and the supervisor told, only once all that was received of it is decided.
//   One whose client has sent its last is closed once it has its receipts, or takes them no more.
// On crash: the supervisor has a duplicate of each, and hands all over again; clients notice nothing.
// Errors: a connection whose message is unfinished for its input's partial_timeout is closed.

#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "common/hand_over.h"
#include "common/worker_context.h"
#include "intake_worker/doorbell_waiter.h"
#include "intake_worker/final_drain.h"
#include "intake_worker/intake_lane.h"

namespace dory::intake {

class StreamInputs {
 public:
  // `on_no_room` is called where whole messages are left for which the ring has no room. `link`: where connections
  // are handed over.
  StreamInputs(WorkerContext& context, IntakeLane& lane, int link, std::function<void()> on_no_room);
  ~StreamInputs();

  // Nothing of an earlier burst is left: connections that were waiting for that are opened. They are read from
  // now on, or not.
  void Settle(bool read);
  void Pause() { reading_ = false; }

  // Answers messages whose outcome is there, sends receipts, and takes the messages that waited for that.
  void GiveReceipts();

  // Takes what was handed over and not looked at. All connections, for the final drain.
  std::vector<StreamSocket> TakeAll();

 private:
  struct Connection;

  void OnHandedOver(HandedConnection handed);
  void Take(HandedConnection handed);
  void EndOthers();
  void OnReady(Connection& connection, int directions);
  void OnReadable(Connection& connection);
  void ReadSome(Connection& connection);
  void EndReading(Connection& connection);
  void SendReceipts(Connection& connection);
  bool MustGiveNow() const;
  void ReleaseHeld();
  void WaitForArea(Connection& connection, AreaKind kind);
  void WakeAreaWaiters();
  void UpdatePartTimer(Connection& connection);
  void OnPartTimeout(Connection& connection);
  void Close(Connection& connection);
  bool Resume(uint32_t slot);
  void StopReading(Connection& connection);
  const InputConfig& ConfigOf(uint32_t input) const { return context_.config.inputs[input]; }

  WorkerContext& context_;
  IntakeLane& lane_;
  std::function<void()> on_no_room_;
  std::vector<std::unique_ptr<Connection>> connections_;  // by slot
  std::vector<HandedConnection> arrivals_;                // until what is left of an earlier life is published
  bool all_handed_over_ = false;                          // and those that are not among them to be ended
  bool reading_ = false;
  std::vector<uint32_t> paused_;           // were ready while nothing was read
  std::deque<uint32_t> area_waiters_[2];   // by AreaKind
  std::vector<std::unique_ptr<Connection>> closed_;  // to be destroyed outside of their callbacks
  Timer reaper_;
  Timer giver_;  // looks for held connections that no outcome and no room in a socket will release
  DoorbellWaiter outcome_waiter_;  // while any receipt is to come
  HandOverReceiver hand_over_;
};

}  // namespace dory::intake
