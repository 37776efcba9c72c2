// intake_alone: runs the real dory-intake with a segment, a socket and a consumer that only moves head,
// and prints what a message costs it. To be held against `sink` under the same load.
//
// It plays the supervisor: Hello, READY; after `count` messages it ends the control link, so that the
// final drain runs, and checks that every message is in the books.

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "common/clock.h"
#include "common/config.h"
#include "common/control.pb.h"
#include "common/control_link.h"
#include "common/event_loop.h"
#include "shm/books.h"
#include "shm/doorbell.h"
#include "shm/segment.h"
#include "shm/store.h"

namespace dory {
namespace {

struct Options {
  std::string program;
  std::string path;
  uint64_t count = 1'000'000;
  uint64_t ring_size = 64 << 20;
  uint32_t slot_size = 64 * 1024;
  unsigned pause_us = 2'000;
  uint32_t client = 0;
};

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "intake_alone: %s\n", what.c_str());
  std::exit(1);
}

int BindSocket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof(address.sun_path) - 1));
  ::unlink(path.c_str());
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) Fail("bind of " + path);
  return fd;
}

class Host {
 public:
  explicit Host(const Options& options) : options_(options) {
    char folder[] = "/dev/shm/intake_alone.XXXXXX";
    if (::mkdtemp(folder) == nullptr) Fail("mkdtemp");
    folder_ = folder;
    const Result<int> fd =
        shm::CreateSegment(folder_, {options.ring_size, 16 << 20, 1, 64, options.slot_size, 0, 0, 0, 0});
    if (!fd.ok()) Fail(fd.status().message());
    segment_fd_ = fd.value();
    ::fcntl(segment_fd_, F_SETFD, 0);
    socket_ = BindSocket(options.path);
    data_doorbell_ = ::eventfd(0, EFD_NONBLOCK);
    room_doorbell_ = ::eventfd(0, EFD_NONBLOCK);
  }

  ~Host() {
    ::unlink((folder_ + "/segment").c_str());
    ::rmdir(folder_.c_str());
  }

  void Run() {
    StartIntake();
    Result<shm::Segment> kafka = shm::Segment::Map(segment_fd_, shm::Role::kKafka, 0);
    Result<shm::Segment> check = shm::Segment::Map(segment_fd_, shm::Role::kCheck, 0);
    if (!kafka.ok() || !check.ok()) Fail("mapping the segment");
    Consume(kafka.value(), check.value());
    link_.reset();
    rusage usage;
    int status = 0;
    if (::wait4(intake_, &status, 0, &usage) != intake_ || status != 0) Fail("dory-intake has failed");
    PrintCost(usage, shm::ReadBooks(check.value(), 0));
  }

 private:
  void StartIntake() {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) Fail("socketpair");
    intake_ = ::fork();
    if (intake_ == 0) {
      ::dup2(pair[1], 3);
      ::execl(options_.program.c_str(), options_.program.c_str(), nullptr);
      std::_Exit(127);
    }
    ::close(pair[1]);
    link_ = std::make_unique<ControlLink>(
        loop_, pair[0], [](const std::string&) {}, [](const std::string&) {});
    SendHello();
    std::string frame;
    const Result<bool> ready = link_->WaitForFrame(5'000, &frame);
    if (!ready.ok() || !ready.value()) Fail("no READY from " + options_.program);
  }

  // One section, of another user: what asking who sends costs.
  std::string Clients() const {
    return options_.client == 0 ? "" : "[client:other]\nuid = " + std::to_string(options_.client) + "\ndeny = none\n";
  }

  void SendHello() {
    control::ToWorker message;
    control::Hello& hello = *message.mutable_hello();
    hello.set_layout(shm::kLayoutNumber);
    hello.set_generation(1);
    hello.set_segment_folder(folder_);
    hello.set_config("[kafka]\nbrokers = 127.0.0.1:9092\n[input:datagram]\ntype = unix_datagram\npath = " +
                     options_.path + "\n" + Clients());
    const auto add = [&hello](const char* name, int fd) {
      control::NamedDescriptor& named = *hello.add_descriptors();
      named.set_name(name);
      named.set_fd(fd);
    };
    add("segment", segment_fd_);
    add("data_doorbell", data_doorbell_);
    add("room_doorbell", room_doorbell_);
    add("input:datagram", socket_);
    link_->Send(message);
  }

  // Moves head to tail after each pause. A long one with a small ring shows how the intake waits for room.
  void Consume(shm::Segment& kafka, const shm::Segment& check) {
    const auto& producer = *kafka.Get<shm::ProducerPage>(shm::RegionKind::kProducer, 0);
    auto& consumer = *kafka.GetWritable<shm::ConsumerPage>(shm::RegionKind::kConsumer, 0);
    shm::DoorbellWaker room(&producer.room_sleep, room_doorbell_);
    while (shm::ReadBooks(check, 0).Received() < options_.count) {
      ::usleep(options_.pause_us);
      shm::Store(consumer.head, shm::Load(producer.tail));
      room.WakeIfAsleep();
      if (began_ns_ == 0 && shm::Load(producer.tail) > 0) began_ns_ = BoottimeNs();
    }
    ended_ns_ = BoottimeNs();
  }

  void PrintCost(const rusage& usage, const shm::Books& books) const {
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    const auto count = static_cast<double>(books.Received());
    const double user = seconds(usage.ru_utime);
    const double kernel = seconds(usage.ru_stime);
    std::printf("intake: %llu messages (%llu rejected), %.0f messages/s, %.3f s of CPU a million (user %.3f)\n",
                static_cast<unsigned long long>(books.Received()),
                static_cast<unsigned long long>(books.Rejected()),
                count * 1e9 / static_cast<double>(ended_ns_ - began_ns_), (user + kernel) * 1e6 / count,
                user * 1e6 / count);
  }

  const Options& options_;
  EventLoop loop_;
  std::unique_ptr<ControlLink> link_;
  std::string folder_;
  int segment_fd_ = -1;
  int socket_ = -1;
  int data_doorbell_ = -1;
  int room_doorbell_ = -1;
  pid_t intake_ = -1;
  int64_t began_ns_ = 0;
  int64_t ended_ns_ = 0;
};

}  // namespace
}  // namespace dory

int main(int argc, char** argv) {
  dory::Options options;
  CLI::App app("Runs dory-intake alone and prints what a message costs it.");
  app.add_option("--program", options.program, "dory-intake")->required();
  app.add_option("--path", options.path, "UNIX datagram socket to bind")->required();
  app.add_option("--count", options.count, "ends after so many messages");
  app.add_option("--ring-size", options.ring_size, "bytes");
  app.add_option("--slot-size", options.slot_size, "largest datagram, bytes");
  app.add_option("--client", options.client, "number of a user that there is a section [client:NAME] for");
  app.add_option("--pause-us", options.pause_us, "microseconds between two moves of head");
  CLI11_PARSE(app, argc, argv);
  dory::Host(options).Run();
  return 0;
}
