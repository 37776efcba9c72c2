#include "intake_worker/doorbell_waiter.h"

namespace dory::intake {
namespace {
constexpr int64_t kSafetyMs = 1'000;
}  // namespace

DoorbellWaiter::DoorbellWaiter(EventLoop& loop, uint64_t* sleep_word, int doorbell,
                       std::function<void()> on_change)
    : sleeper_(sleep_word, doorbell),
      on_change_(std::move(on_change)),
      watcher_(loop, doorbell, [this](int) { OnSignal(); }),
      timer_(loop, [this] { on_change_(); }) {
  // A predecessor may have died asleep: nobody is to signal for it.
  sleeper_.PrepareSleep();
  sleeper_.CancelSleep();
}

void DoorbellWaiter::Begin() {
  if (waiting()) return;
  sleeper_.PrepareSleep();
  watcher_.Watch(kReadable);
  timer_.StartEvery(kSafetyMs);
}

void DoorbellWaiter::End() {
  watcher_.Watch(0);
  timer_.Stop();
  sleeper_.CancelSleep();
}

void DoorbellWaiter::OnSignal() {
  sleeper_.Clear();
  on_change_();
}

}  // namespace dory::intake
