#include "supervisor/daemonize.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

namespace dory::supervisor {

Status Background::Enter() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Status::Errno("pipe");
  const pid_t pid = ::fork();
  if (pid < 0) return Status::Errno("fork");
  if (pid > 0) {
    ::close(ends[1]);
    char word = 0;
    const bool runs = ::read(ends[0], &word, 1) == 1;
    std::_Exit(runs ? EXIT_SUCCESS : EXIT_FAILURE);
  }
  ::close(ends[0]);
  to_parent_.Reset(ends[1]);
  if (::setsid() < 0) return Status::Errno("setsid");
  return ::chdir("/") == 0 ? Status::Ok() : Status::Errno("chdir");
}

void Background::Detach() {
  if (!to_parent_.valid()) return;
  const FileDescriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (null.valid()) ::dup2(null.get(), fd);
  }
  const char word = 1;
  if (::write(to_parent_.get(), &word, 1) != 1) std::abort();
  to_parent_.Reset();
}

}  // namespace dory::supervisor
