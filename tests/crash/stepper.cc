#include "tests/crash/stepper.h"

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <new>

#include "tests/crash/sweep.h"

namespace dory::crash {
namespace {

std::string DescribeEnd(int status) {
  if (WIFSIGNALED(status)) return "the life ended by signal " + std::to_string(WTERMSIG(status));
  if (WEXITSTATUS(status) == 0) return "";
  return "the life ended with status " + std::to_string(WEXITSTATUS(status));
}

// What the child stopped for. A page that is write-protected, or an abort, is a signal of its own.
std::string TellOf(int signal, const StepSwitch& steps, StepListener* listener) {
  if (signal == SIGTRAP) return listener->OnStep();
  if (signal == SIGSTOP) return steps.is_resumed() ? listener->OnResume() : listener->OnBegin(steps.part());
  return "signal " + std::to_string(signal) + (steps.is_on() ? " in a step" : "");
}

}  // namespace

StepSwitch::StepSwitch() {
  void* const memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) Die("mmap");
  shared_ = new (memory) Shared{};
}

StepSwitch::~StepSwitch() { ::munmap(shared_, sizeof(Shared)); }

void StepSwitch::Trace() {
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) Die("ptrace");
  ::kill(::getpid(), SIGSTOP);
}

void StepSwitch::BeginSteps(uint32_t part) {
  shared_->part = part;
  shared_->resumed = false;
  shared_->on = true;
  ::kill(::getpid(), SIGSTOP);
}

void StepSwitch::Resume() {
  shared_->resumed = true;
  shared_->on = true;
  ::kill(::getpid(), SIGSTOP);
}

std::string TraceSteps(pid_t child, const StepSwitch& steps, StepListener* listener) {
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) Die("no child to trace");
  if (::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_EXITKILL) != 0) Die("ptrace");
  for (;;) {
    const auto how = steps.is_on() ? PTRACE_SINGLESTEP : PTRACE_CONT;
    if (::ptrace(how, child, nullptr, nullptr) != 0) Die("ptrace");
    if (::waitpid(child, &status, 0) != child) Die("waitpid");
    if (!WIFSTOPPED(status)) return DescribeEnd(status);
    const std::string problem = TellOf(WSTOPSIG(status), steps, listener);
    if (problem.empty()) continue;
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return problem;
  }
}

}  // namespace dory::crash
