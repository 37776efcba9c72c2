#include "kafka_worker/secret_command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "common/clock.h"
#include "common/file_descriptor.h"

namespace dory::kafka {
namespace {

// A process group of its own, with the signals as a shell expects them, and `output` as its standard output.
Result<pid_t> Spawn(const std::string& command, int output) {
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t all, none;
  ::sigfillset(&all);
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  const char* const arguments[] = {"sh", "-c", command.c_str(), nullptr};
  pid_t pid = -1;
  const int error =
      ::posix_spawn(&pid, "/bin/sh", &files, &attributes, const_cast<char* const*>(arguments), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  if (error != 0) return Status::Errno("cannot be run", error);
  return pid;
}

// False once it is too late.
bool WaitReadable(int fd, int64_t until_ms) {
  for (;;) {
    pollfd wanted{fd, POLLIN, 0};
    const int64_t left = until_ms - MonotonicMs();
    const int ready = left <= 0 ? 0 : ::poll(&wanted, 1, static_cast<int>(left));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

// How many bytes there were; -1: no end of them in time, or in the buffer.
ssize_t ReadAll(int fd, std::span<std::byte> buffer, int64_t until_ms) {
  size_t size = 0;
  while (size < buffer.size() && WaitReadable(fd, until_ms)) {
    const ssize_t got = ::read(fd, buffer.data() + size, buffer.size() - size);
    if (got <= 0) return static_cast<ssize_t>(size);
    size += static_cast<size_t>(got);
  }
  return -1;
}

// Its status, as waitpid has it; kills what does not end in time.
int WaitEnd(pid_t pid, bool in_time, int64_t until_ms) {
  const FileDescriptor end(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!in_time || !WaitReadable(end.get(), until_ms)) ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

Result<Secret> RunSecretCommand(const std::string& command, int64_t timeout_ms) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Status::Errno("pipe");
  const FileDescriptor output(ends[0]);
  FileDescriptor input(ends[1]);
  const int64_t until_ms = MonotonicMs() + timeout_ms;
  const Result<pid_t> pid = Spawn(command, input.get());
  if (!pid.ok()) return pid.status();
  input.Reset();
  std::array<std::byte, kMaxSecretBytes + 1> buffer;
  const ssize_t size = ReadAll(output.get(), buffer, until_ms);
  const int status = WaitEnd(pid.value(), size >= 0, until_ms);
  Result<Secret> secret = Status::Error("has not ended in " + std::to_string(timeout_ms) + " ms, or printed over 16K");
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
    secret = Status::Error("has ended with status " + std::to_string(WEXITSTATUS(status)));
  } else if (WIFEXITED(status) && size >= 0) {
    secret = TakeFirstLine({buffer.data(), static_cast<size_t>(size)});
  }
  Wipe(buffer);
  return secret;
}

}  // namespace dory::kafka
