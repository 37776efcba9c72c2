#include "supervisor/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "common/worker_context.h"

namespace dory::supervisor {
namespace {

constexpr int kExecFailed = 127;

// In the child. Only system calls: nothing of the supervisor's memory is touched.
[[noreturn]] void ExecWorker(const char* const* arguments, const char* program, int control_fd, const int* inherited,
                             size_t inherited_count) {
  // Ctrl-C goes to the whole foreground group, also before the worker can ignore it itself.
  for (const int signal_number : {SIGINT, SIGHUP, SIGTERM}) ::signal(signal_number, SIG_IGN);
  if (::dup2(control_fd, kControlFd) != kControlFd) ::_exit(kExecFailed);
  for (size_t i = 0; i < inherited_count; ++i) ::fcntl(inherited[i], F_SETFD, 0);
  ::execv(program, const_cast<char* const*>(arguments));
  const char* const error = std::strerror(errno);
  for (const char* text : {program, ": ", error, "\n"}) {
    if (::write(STDERR_FILENO, text, std::strlen(text)) < 0) break;
  }
  ::_exit(kExecFailed);
}

}  // namespace

Result<pid_t> Spawn(const SpawnRequest& request) {
  const char* const arguments[] = {request.program.c_str(), request.name.c_str(), nullptr};
  const pid_t pid = ::fork();
  if (pid < 0) return Status::Errno("fork");
  if (pid > 0) return pid;
  ExecWorker(arguments, request.program.c_str(), request.control_fd, request.inherited.data(),
             request.inherited.size());
}

void ReserveDescriptors() {
  ::close_range(kControlFd, ~0u, CLOSE_RANGE_CLOEXEC);
  for (int fd = 0; fd <= kControlFd; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    const int opened = ::open("/dev/null", O_RDWR | (fd == kControlFd ? O_CLOEXEC : 0));
    if (opened >= 0 && opened != fd) ::close(opened);
  }
}

}  // namespace dory::supervisor
