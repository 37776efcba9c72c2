// Secrets from files, and what OAUTHBEARER makes of one.

#include "kafka_worker/secret.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "kafka_worker/oauth_bearer.h"
#include "kafka_worker/secret_command.h"

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

TEST_F(SecretTest, OfACommandItIsTheFirstLineOfOutput) {
  EXPECT_EQ(RunSecretCommand("printf 'secret\\nmore\\n'; cat").value().text(), "secret");
  EXPECT_EQ(RunSecretCommand("true").status().message(), "its first line is empty");
  EXPECT_EQ(RunSecretCommand("echo secret; exit 3").status().message(), "has ended with status 3");
  EXPECT_EQ(RunSecretCommand("no-such-command 2>&1").status().message(), "has ended with status 127");
  EXPECT_EQ(RunSecretCommand("yes | head -c 20000; true").status().message(),
            "has not ended in 10000 ms, or printed over 16K");
}

TEST_F(SecretTest, ACommandThatDoesNotEndIsKilledWithWhatItStarted) {
  for (const char* const command : {"echo secret; sleep 1000 & wait", "echo secret; exec >&-; sleep 1000"}) {
    EXPECT_EQ(RunSecretCommand(command, 50).status().message(), "has not ended in 50 ms, or printed over 16K");
  }
}

TEST_F(SecretTest, ATokenIsOneMessage) {
  OauthBearer client(Secret(AsBytes("abc")));
  const Result<Secret> first = client.Next({});
  EXPECT_EQ(first.value().text(), "n,,\x01" "auth=Bearer abc\x01\x01");
  EXPECT_FALSE(client.done());
  EXPECT_TRUE(client.Next({}).value().empty());
  EXPECT_TRUE(client.done());
}

TEST_F(SecretTest, ACommandsTokenIsFetchedOnceAndMayTakeTime) {
  OauthBearer client(std::string("echo abc"));
  EXPECT_TRUE(client.may_block());
  EXPECT_EQ(client.Next({}).value().text(), "n,,\x01" "auth=Bearer abc\x01\x01");
  EXPECT_FALSE(client.may_block());
  OauthBearer broken(std::string("exit 7"));
  EXPECT_EQ(broken.Next({}).status().message(), "[sasl] token_command: has ended with status 7");
}

TEST_F(SecretTest, ARefusedTokenIsNotTaken) {
  OauthBearer client(Secret(AsBytes("abc")));
  EXPECT_TRUE(client.Next({}).ok());
  EXPECT_EQ(client.Next(AsBytes("{\"status\":\"invalid_token\"}")).value().text(), "\x01");
  EXPECT_FALSE(client.done());
}

}  // namespace
}  // namespace dory::kafka
