// One end of a control link: framed protobuf messages over a non-blocking SOCK_STREAM socket.
//
// A frame is an int32 length (big-endian) and that many bytes. Reading and writing never block; what
// the kernel does not take at once is kept and written when it can be. The data path never comes here.
// Errors: a frame over 64 MiB, one that does not parse (the owner says so by Fail) and end of stream all
// end the link: `on_end` is called once, with the reason, and nothing after it. A link is not destroyed
// inside one of its own callbacks.

#pragma once

#include <google/protobuf/message_lite.h>

#include <functional>
#include <memory>
#include <string>

#include "common/event_loop.h"
#include "common/status.h"

namespace dory {

class ControlLink {
 public:
  // Takes over `fd` (set non-blocking and close-on-exec). `on_frame` gets each frame's bytes.
  ControlLink(EventLoop& loop, int fd, std::function<void(const std::string& frame)> on_frame,
              std::function<void(const std::string& reason)> on_end);
  ~ControlLink();

  void Send(const google::protobuf::MessageLite& message);

  // Says no more; the peer reads to the end of what was sent.
  void Shutdown();

  // Ends the link, as for a frame that could not be parsed: `on_end` is called at once.
  void Fail(const std::string& reason);

  // Waits, without the loop, up to `timeout_ms` for one frame. Ok(false): none came in time.
  Result<bool> WaitForFrame(int64_t timeout_ms, std::string* frame);

  int fd() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dory
