// Secrets from files, and what OAUTHBEARER makes of one.

#include "kafka_worker/secret.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "kafka_worker/oauth_bearer.h"

namespace dory::kafka {
namespace {

class SecretTest : public ::testing::Test {
 protected:
  SecretTest() { path_ = ::testing::TempDir() + "dory-secret-" + std::to_string(::getpid()); }
  ~SecretTest() override { std::remove(path_.c_str()); }

  Result<Secret> Read(const std::string& content) {
    FILE* const file = std::fopen(path_.c_str(), "w");
    std::fwrite(content.data(), 1, content.size(), file);
    std::fclose(file);
    return ReadSecretFile(path_);
  }

  std::string path_;
};

TEST_F(SecretTest, IsTheFirstLine) {
  EXPECT_EQ(Read("secret").value().text(), "secret");
  EXPECT_EQ(Read("secret\n").value().text(), "secret");
  EXPECT_EQ(Read("secret\r\nmore\n").value().text(), "secret");
  EXPECT_EQ(Read(" with blanks \n").value().text(), " with blanks ");
}

TEST_F(SecretTest, FaultsAreSaidWithoutIt) {
  EXPECT_EQ(Read("").status().message(), "its first line is empty");
  EXPECT_EQ(Read("\nsecret\n").status().message(), "its first line is empty");
  EXPECT_EQ(Read(std::string(kMaxSecretBytes + 1, 'x')).status().message(), "more than 16K");
  EXPECT_EQ(ReadSecretFile(path_ + "-none").status().message(), "cannot be opened: No such file or directory");
}

TEST_F(SecretTest, ATokenIsOneMessage) {
  OauthBearer client(Secret(AsBytes("abc")));
  const Result<Secret> first = client.Next({});
  EXPECT_EQ(first.value().text(), "n,,\x01" "auth=Bearer abc\x01\x01");
  EXPECT_FALSE(client.done());
  EXPECT_TRUE(client.Next({}).value().empty());
  EXPECT_TRUE(client.done());
}

TEST_F(SecretTest, ARefusedTokenIsNotTaken) {
  OauthBearer client(Secret(AsBytes("abc")));
  EXPECT_TRUE(client.Next({}).ok());
  EXPECT_EQ(client.Next(AsBytes("{\"status\":\"invalid_token\"}")).value().text(), "\x01");
  EXPECT_FALSE(client.done());
}

}  // namespace
}  // namespace dory::kafka
