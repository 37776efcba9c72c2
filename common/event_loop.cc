#include "common/event_loop.h"

#include <ev.h>

#include <cassert>
#include <cstdlib>
#include <utility>

namespace dory {

struct EventLoop::Impl {
  struct ev_loop* loop = nullptr;
  ev_prepare before_wait{};
  std::function<void()> callback;
  bool stopped = false;
};

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {
  impl_->loop = ::ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
  if (impl_->loop == nullptr) std::abort();
  ::ev_ref(impl_->loop);  // a loop without watchers waits, it does not end
  ev_prepare_init(&impl_->before_wait, [](struct ev_loop*, ev_prepare* watcher, int) {
    static_cast<Impl*>(watcher->data)->callback();
  });
  impl_->before_wait.data = impl_.get();
}

EventLoop::~EventLoop() {
  ::ev_prepare_stop(impl_->loop, &impl_->before_wait);
  ::ev_loop_destroy(impl_->loop);
}

void EventLoop::Run() {
  while (!impl_->stopped) ::ev_run(impl_->loop, EVRUN_ONCE);
  impl_->stopped = false;
}

void EventLoop::Stop() {
  impl_->stopped = true;
  ::ev_break(impl_->loop, EVBREAK_ONE);
}

void EventLoop::RunOnce(bool wait) { ::ev_run(impl_->loop, wait ? EVRUN_ONCE : EVRUN_NOWAIT); }

void EventLoop::SetBeforeWait(std::function<void()> callback) {
  impl_->callback = std::move(callback);
  if (impl_->callback) {
    ::ev_prepare_start(impl_->loop, &impl_->before_wait);
  } else {
    ::ev_prepare_stop(impl_->loop, &impl_->before_wait);
  }
}

struct IoWatcher::Impl {
  struct ev_loop* loop = nullptr;
  int fd = -1;
  int watched = 0;
  ev_io io{};
  std::function<void(int)> callback;
};

namespace {

int ToLibev(int directions) {
  return ((directions & kReadable) != 0 ? EV_READ : 0) | ((directions & kWritable) != 0 ? EV_WRITE : 0);
}

int FromLibev(int events) {
  return ((events & EV_READ) != 0 ? kReadable : 0) | ((events & EV_WRITE) != 0 ? kWritable : 0);
}

}  // namespace

IoWatcher::IoWatcher(EventLoop& loop, int fd, std::function<void(int directions)> callback)
    : impl_(std::make_unique<Impl>()) {
  impl_->loop = loop.impl()->loop;
  impl_->fd = fd;
  impl_->callback = std::move(callback);
  ev_io_init(
      &impl_->io,
      [](struct ev_loop*, ev_io* watcher, int events) {
        static_cast<Impl*>(watcher->data)->callback(FromLibev(events));
      },
      fd, 0);
  impl_->io.data = impl_.get();
}

IoWatcher::~IoWatcher() { ::ev_io_stop(impl_->loop, &impl_->io); }

void IoWatcher::Watch(int directions) {
  if (directions == impl_->watched) return;
  ::ev_io_stop(impl_->loop, &impl_->io);
  impl_->watched = directions;
  if (directions == 0) return;
  ev_io_set(&impl_->io, impl_->fd, ToLibev(directions));
  ::ev_io_start(impl_->loop, &impl_->io);
}

struct Timer::Impl {
  struct ev_loop* loop = nullptr;
  ev_timer timer{};
  std::function<void()> callback;

  void Start(int64_t first_ms, int64_t interval_ms) {
    ::ev_timer_stop(loop, &timer);
    // Times count from now, not from when the loop's iteration began.
    if (first_ms > 0) ::ev_now_update(loop);
    ev_timer_set(&timer, static_cast<double>(first_ms) / 1000, static_cast<double>(interval_ms) / 1000);
    ::ev_timer_start(loop, &timer);
  }
};

Timer::Timer(EventLoop& loop, std::function<void()> callback) : impl_(std::make_unique<Impl>()) {
  impl_->loop = loop.impl()->loop;
  impl_->callback = std::move(callback);
  ev_timer_init(
      &impl_->timer,
      [](struct ev_loop*, ev_timer* watcher, int) { static_cast<Impl*>(watcher->data)->callback(); }, 0.0,
      0.0);
  impl_->timer.data = impl_.get();
}

Timer::~Timer() { Stop(); }

void Timer::StartOnce(int64_t delay_ms) { impl_->Start(delay_ms, 0); }

void Timer::StartEvery(int64_t interval_ms) {
  assert(interval_ms > 0);
  impl_->Start(interval_ms, interval_ms);
}

void Timer::Stop() { ::ev_timer_stop(impl_->loop, &impl_->timer); }

bool Timer::active() const { return ev_is_active(&impl_->timer); }

struct SignalWatcher::Impl {
  struct ev_loop* loop = nullptr;
  ev_signal signal{};
  std::function<void()> callback;
};

SignalWatcher::SignalWatcher(EventLoop& loop, int signal_number, std::function<void()> callback)
    : impl_(std::make_unique<Impl>()) {
  impl_->loop = loop.impl()->loop;
  impl_->callback = std::move(callback);
  ev_signal_init(
      &impl_->signal,
      [](struct ev_loop*, ev_signal* watcher, int) { static_cast<Impl*>(watcher->data)->callback(); },
      signal_number);
  impl_->signal.data = impl_.get();
  ::ev_signal_start(impl_->loop, &impl_->signal);
}

SignalWatcher::~SignalWatcher() { ::ev_signal_stop(impl_->loop, &impl_->signal); }

}  // namespace dory
