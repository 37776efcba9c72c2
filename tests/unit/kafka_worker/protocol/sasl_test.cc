// SaslHandshake and SaslAuthenticate: bytes as the protocol guide has them, and answers of every version.

#include "kafka_worker/protocol/sasl.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

namespace dory::kafka::protocol {
namespace {

Bytes BytesOf(std::string_view text) {
  const ByteSpan span = AsBytes(text);
  return {span.begin(), span.end()};
}

using namespace std::string_literals;

const RequestHeader kHeader{1, 7, "me"};

TEST(SaslTest, AHandshakeNamesTheMechanism) {
  EXPECT_EQ(EncodeSaslHandshakeRequest(kHeader, "PLAIN"),
            BytesOf("\0\0\0\x13\0\x11\0\x01\0\0\0\x07\0\x02me\0\x05PLAIN"s));
}

TEST(SaslTest, TokensTravelInRequestsOfBothShapes) {
  EXPECT_EQ(EncodeSaslAuthenticateRequest(kHeader, AsBytes("abc")),
            BytesOf("\0\0\0\x13\0\x24\0\x01\0\0\0\x07\0\x02me\0\0\0\x03" "abc"s));
  const RequestHeader flexible{2, 7, "me"};
  EXPECT_EQ(EncodeSaslAuthenticateRequest(flexible, AsBytes("abc")),
            BytesOf("\0\0\0\x12\0\x24\0\x02\0\0\0\x07\0\x02me\0\x04" "abc\0"s));
  EXPECT_EQ(EncodeBareToken(AsBytes("abc")), BytesOf("\0\0\0\x03" "abc"s));
}

TEST(SaslTest, AHandshakeIsAnsweredWithWhatTheBrokerHas) {
  const Bytes body = BytesOf("\0\x21\0\0\0\x02\0\x05PLAIN\0\x06GSSAPI"s);
  const auto response = DecodeSaslHandshakeResponse(1, body);
  ASSERT_TRUE(response.ok()) << response.status().message();
  EXPECT_EQ(response.value().error_code, 33);
  EXPECT_EQ(response.value().mechanisms, (std::vector<std::string>{"PLAIN", "GSSAPI"}));
}

// A broker has a few; what is kept of one is far more than its bytes.
TEST(SaslTest, MoreOrLongerMechanismsThanAnyBrokerHasAreRefused) {
  const auto decodes = [](size_t count, size_t size) {
    Bytes body;
    Writer writer(&body, false);
    writer.Put<int16_t>(33);
    writer.PutArrayCount(count);
    for (size_t i = 0; i < count; ++i) writer.PutString(std::string(size, 'M'));
    return DecodeSaslHandshakeResponse(1, body).ok();
  };
  EXPECT_TRUE(decodes(64, 64));
  EXPECT_FALSE(decodes(65, 0));
  EXPECT_FALSE(decodes(1, 65));
}

TEST(SaslTest, ATokensAnswerMayEndTheSession) {
  const Bytes old = BytesOf("\0\0\xff\xff\0\0\0\x02ok"s);
  const auto first = DecodeSaslAuthenticateResponse(0, old);
  ASSERT_TRUE(first.ok()) << first.status().message();
  EXPECT_EQ(AsText(first.value().token), "ok");
  EXPECT_EQ(first.value().session_lifetime_ms, 0);

  const Bytes plain = BytesOf("\0\x3a\0\x02no\0\0\0\0\0\0\0\0\0\0\x13\x88"s);
  const auto second = DecodeSaslAuthenticateResponse(1, plain);
  ASSERT_TRUE(second.ok()) << second.status().message();
  EXPECT_EQ(second.value().error_code, 58);
  EXPECT_EQ(second.value().error_message, "no");
  EXPECT_EQ(second.value().session_lifetime_ms, 5000);

  const Bytes flexible = BytesOf("\0\0\0\x03ok\0\0\0\0\0\0\x13\x88\0"s);
  const auto third = DecodeSaslAuthenticateResponse(2, flexible);
  ASSERT_TRUE(third.ok()) << third.status().message();
  EXPECT_EQ(AsText(third.value().token), "ok");
  EXPECT_EQ(third.value().session_lifetime_ms, 5000);
}

TEST(SaslTest, EveryPrefixIsRefused) {
  const Bytes handshake = BytesOf("\0\0\0\0\0\x01\0\x05PLAIN"s);
  for (size_t size = 0; size < handshake.size(); ++size) {
    EXPECT_FALSE(DecodeSaslHandshakeResponse(1, ByteSpan(handshake).first(size)).ok()) << size;
  }
  const std::string answers[] = {"\0\0\xff\xff\0\0\0\x02ok"s, "\0\0\xff\xff\0\0\0\x02ok\0\0\0\0\0\0\x13\x88"s,
                                 "\0\0\0\x03ok\0\0\0\0\0\0\x13\x88\0"s};
  for (int16_t version = 0; version <= 2; ++version) {
    const Bytes whole = BytesOf(answers[version]);
    ASSERT_TRUE(DecodeSaslAuthenticateResponse(version, whole).ok());
    for (size_t size = 0; size < whole.size(); ++size) {
      EXPECT_FALSE(DecodeSaslAuthenticateResponse(version, ByteSpan(whole).first(size)).ok()) << version << ' ' << size;
    }
  }
}

}  // namespace
}  // namespace dory::kafka::protocol
