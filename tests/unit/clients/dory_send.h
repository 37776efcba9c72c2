// A client, and a socket of the test's own that stands for Dory's.

#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "clients/c/dory_client.h"

namespace dory::client {

// A folder with one socket, "s", that stands for Dory's.
class DorySend : public testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/dory_client_test.XXXXXX";
    ASSERT_NE(nullptr, mkdtemp(folder));
    folder_ = folder;
    path_ = folder_ + "/s";
  }

  void TearDown() override {
    dory_client_close(client_);
    StopServer();
    rmdir(folder_.c_str());
  }

  void StartServer(int type) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path_.c_str());
    server_ = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
    ASSERT_EQ(0, bind(server_, reinterpret_cast<sockaddr*>(&address), sizeof(address)));
    ASSERT_EQ(type == SOCK_STREAM ? 0 : -1, listen(server_, 4));
  }

  void StopServer() {
    if (server_ >= 0) close(server_);
    server_ = -1;
    unlink(path_.c_str());
  }

  dory_code Send(const std::string& message, int flags = DORY_DONT_WAIT) {
    return dory_client_send(client_, message.data(), message.size(), flags);
  }

  // What the socket holds next; "-" if nothing.
  static std::string Receive(int fd) {
    std::vector<char> buffer(8 << 20);
    const ssize_t size = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    return size < 0 ? "-" : std::string(buffer.data(), static_cast<size_t>(size));
  }

  std::string folder_;
  std::string path_;
  int server_ = -1;
  dory_client* client_ = nullptr;
};

}  // namespace dory::client
