// run_dir/control.sock: sessions of doryctl and dory-status, each a control link.
//
// Errors: a peer that is neither root nor ours is told so and cut; a request that can't be read ends its
//   session; running out of descriptors stops accepting for a while.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "common/control.pb.h"
#include "common/control_link.h"
#include "common/event_loop.h"
#include "common/file_descriptor.h"

namespace dory::supervisor {

class ControlServer {
 public:
  using SessionId = uint64_t;

  // `listener` is bound and listens.
  ControlServer(EventLoop& loop, FileDescriptor listener,
                std::function<void(SessionId, const control::Request&)> on_request,
                std::function<void(SessionId)> on_session_end);

  // Nothing happens where the session has ended.
  void Reply(SessionId session, const control::Response& response);
  void ReplyError(SessionId session, const std::string& error);

 private:
  void Accept();
  void Open(FileDescriptor connection);
  void OnFrame(SessionId session, const std::string& frame);
  void End(SessionId session);

  EventLoop& loop_;
  FileDescriptor listener_;
  std::function<void(SessionId, const control::Request&)> on_request_;
  std::function<void(SessionId)> on_session_end_;
  IoWatcher watcher_;
  Timer accept_again_;
  Timer bury_;
  SessionId next_session_ = 1;
  std::map<SessionId, std::unique_ptr<ControlLink>> sessions_;
  std::vector<std::unique_ptr<ControlLink>> ended_;  // destroyed outside of their own callbacks
};

}  // namespace dory::supervisor
