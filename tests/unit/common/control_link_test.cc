#include "common/control_link.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "common/control.pb.h"
#include "common/file_descriptor.h"

namespace dory {
namespace {

class ControlLinkTest : public ::testing::Test {
 protected:
  struct End {
    std::unique_ptr<ControlLink> link;
    std::vector<std::string> frames;
    std::vector<std::string> reasons;
  };

  void SetUp() override {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    Open(ends[0], &near_);
    far_fd_.Reset(ends[1]);
  }

  void Open(int fd, End* end) {
    end->link = std::make_unique<ControlLink>(
        loop_, fd, [end](const std::string& frame) { end->frames.push_back(frame); },
        [end](const std::string& reason) { end->reasons.push_back(reason); });
  }

  void OpenFar() { Open(far_fd_.Release(), &far_); }
  void Turn(int times = 4) {
    for (int i = 0; i < times; ++i) loop_.RunOnce(false);
  }
  void WriteFar(const std::string& bytes) {
    ASSERT_EQ(::write(far_fd_.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

  static control::ToWorker MakeConfig(const std::string& text) {
    control::ToWorker message;
    message.set_config(text);
    return message;
  }

  EventLoop loop_;
  FileDescriptor far_fd_;
  End near_;
  End far_;
};

TEST_F(ControlLinkTest, CarriesMessagesInOrder) {
  OpenFar();
  near_.link->Send(MakeConfig("one"));
  near_.link->Send(MakeConfig("two"));
  Turn();
  ASSERT_EQ(far_.frames.size(), 2u);
  control::ToWorker message;
  ASSERT_TRUE(message.ParseFromString(far_.frames[1]));
  EXPECT_EQ(message.config(), "two");
}

TEST_F(ControlLinkTest, PutsAFrameTogetherFromItsBytes) {
  const std::string frame("\0\0\0\3abc", 7);
  for (const char byte : frame) {
    EXPECT_TRUE(near_.frames.empty());
    WriteFar(std::string(1, byte));
    Turn(1);
  }
  EXPECT_EQ(near_.frames, std::vector<std::string>{"abc"});
}

TEST_F(ControlLinkTest, AnEmptyFrameIsAFrame) {
  WriteFar(std::string(4, '\0'));
  Turn();
  EXPECT_EQ(near_.frames, std::vector<std::string>{""});
}

TEST_F(ControlLinkTest, KeepsWhatTheKernelDoesNotTake) {
  OpenFar();
  const std::string large(8 << 20, 'x');
  near_.link->Send(MakeConfig(large));
  for (int i = 0; i < 10'000 && far_.frames.empty(); ++i) loop_.RunOnce(false);
  ASSERT_EQ(far_.frames.size(), 1u);
  EXPECT_GT(far_.frames[0].size(), large.size());
}

TEST_F(ControlLinkTest, TellsTheEndOnceAfterWhatWasSaid) {
  WriteFar(std::string("\0\0\0\1a", 5));
  far_fd_.Reset();
  Turn();
  EXPECT_EQ(near_.frames, std::vector<std::string>{"a"});
  EXPECT_EQ(near_.reasons.size(), 1u);
  near_.link->Send(MakeConfig("to nobody"));
  Turn();
  EXPECT_EQ(near_.reasons.size(), 1u);
}

TEST_F(ControlLinkTest, ASizeBeyondTheLimitEndsTheLink) {
  WriteFar(std::string("\x7f\xff\xff\xff", 4));
  Turn();
  ASSERT_EQ(near_.reasons.size(), 1u);
  EXPECT_NE(near_.reasons[0].find("2147483647"), std::string::npos);
}

TEST_F(ControlLinkTest, ANegativeSizeEndsTheLink) {
  WriteFar(std::string("\xff\xff\xff\xff", 4));
  Turn();
  EXPECT_EQ(near_.reasons.size(), 1u);
}

TEST_F(ControlLinkTest, FailEndsTheLinkOnce) {
  near_.link->Fail("because");
  near_.link->Fail("again");
  EXPECT_EQ(near_.reasons, std::vector<std::string>{"because"});
}

TEST_F(ControlLinkTest, ShutdownLetsThePeerReadToTheEnd) {
  OpenFar();
  near_.link->Send(MakeConfig("last"));
  near_.link->Shutdown();
  near_.link->Send(MakeConfig("unsaid"));
  Turn();
  EXPECT_EQ(far_.frames.size(), 1u);
  EXPECT_EQ(far_.reasons.size(), 1u);
}

TEST_F(ControlLinkTest, ShutdownWaitsForWhatTheKernelDidNotTake) {
  OpenFar();
  near_.link->Send(MakeConfig(std::string(8 << 20, 'x')));
  near_.link->Shutdown();
  for (int i = 0; i < 10'000 && far_.reasons.empty(); ++i) loop_.RunOnce(false);
  EXPECT_EQ(far_.frames.size(), 1u);
  EXPECT_EQ(far_.reasons.size(), 1u);
}

TEST_F(ControlLinkTest, WaitsForAFrameWithoutTheLoop) {
  std::string frame;
  Result<bool> read = near_.link->WaitForFrame(0, &frame);
  ASSERT_TRUE(read.ok());
  EXPECT_FALSE(read.value());
  WriteFar(std::string("\0\0\0\1a\0\0\0\1b", 10));
  for (const char* expected : {"a", "b"}) {
    read = near_.link->WaitForFrame(1000, &frame);
    ASSERT_TRUE(read.ok() && read.value());
    EXPECT_EQ(frame, expected);
  }
  far_fd_.Reset();
  EXPECT_FALSE(near_.link->WaitForFrame(1000, &frame).ok());
}

TEST_F(ControlLinkTest, AHandlerMayWaitForTheNextFrame) {
  std::string second;
  ControlLink* link = nullptr;
  ControlLink waiting(
      loop_, ::dup(far_fd_.get()),
      [&](const std::string&) { EXPECT_TRUE(link->WaitForFrame(1000, &second).ok()); },
      [](const std::string&) {});
  link = &waiting;
  near_.link->Send(MakeConfig("first"));
  near_.link->Send(MakeConfig("second"));
  Turn();
  EXPECT_NE(second.find("second"), std::string::npos);
}

}  // namespace
}  // namespace dory
