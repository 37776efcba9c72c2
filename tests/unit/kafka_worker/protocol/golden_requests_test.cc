// Our encoders write, byte for byte, what Kafka's own classes wrote of the same content.

#include "kafka_worker/protocol/api_versions.h"
#include "kafka_worker/protocol/describe_producers.h"
#include "kafka_worker/protocol/fetch.h"
#include "kafka_worker/protocol/init_producer_id.h"
#include "kafka_worker/protocol/list_offsets.h"
#include "kafka_worker/protocol/metadata.h"
#include "kafka_worker/protocol/sasl.h"
#include "tests/unit/kafka_worker/protocol/golden.h"

namespace dory::kafka::protocol {
namespace {

TEST(GoldenRequestsTest, Metadata) {
  ForEachVersion(Api::kMetadata, [](int16_t version) {
    EXPECT_EQ(EncodeMetadataRequest(GoldenHeader(version), {{"a", kFirstTopic, kLongTopic}, true}),
              ReadGoldenRequest(Api::kMetadata, version));
    EXPECT_EQ(EncodeMetadataRequest(GoldenHeader(version), {}),
              ReadGoldenRequest(Api::kMetadata, version, "none.request"));
  });
}

TEST(GoldenRequestsTest, ApiVersions) {
  ForEachVersion(Api::kApiVersions, [](int16_t version) {
    EXPECT_EQ(EncodeApiVersionsRequest(GoldenHeader(version), {"dory", "1.2.3-golden"}),
              ReadGoldenRequest(Api::kApiVersions, version));
  });
}

TEST(GoldenRequestsTest, InitProducerId) {
  ForEachVersion(Api::kInitProducerId, [](int16_t version) {
    EXPECT_EQ(EncodeInitProducerIdRequest(GoldenHeader(version), {0x0123456789abcdef, 0x1234}),
              ReadGoldenRequest(Api::kInitProducerId, version));
    EXPECT_EQ(EncodeInitProducerIdRequest(GoldenHeader(version), {}),
              ReadGoldenRequest(Api::kInitProducerId, version, "fresh.request"));
  });
}

TEST(GoldenRequestsTest, SaslHandshake) {
  ForEachVersion(Api::kSaslHandshake, [](int16_t version) {
    EXPECT_EQ(EncodeSaslHandshakeRequest(GoldenHeader(version), "SCRAM-SHA-256"),
              ReadGoldenRequest(Api::kSaslHandshake, version));
  });
}

TEST(GoldenRequestsTest, SaslAuthenticate) {
  Bytes token(200);
  for (size_t i = 0; i < token.size(); ++i) token[i] = static_cast<std::byte>(i);
  ForEachVersion(Api::kSaslAuthenticate, [&](int16_t version) {
    EXPECT_EQ(EncodeSaslAuthenticateRequest(GoldenHeader(version), token),
              ReadGoldenRequest(Api::kSaslAuthenticate, version));
    EXPECT_EQ(EncodeSaslAuthenticateRequest(GoldenHeader(version), {}),
              ReadGoldenRequest(Api::kSaslAuthenticate, version, "empty.request"));
  });
}

TEST(GoldenRequestsTest, ListOffsets) {
  ForEachVersion(Api::kListOffsets, [](int16_t version) {
    EXPECT_EQ(EncodeListOffsetsRequest(GoldenHeader(version), {.topics = {{kFirstTopic, {{7, -1}, {0, -2}}},
                                                                          {kLongTopic, {{kMostInt32, 1'700'000'000'000}}}}}),
              ReadGoldenRequest(Api::kListOffsets, version));
    EXPECT_EQ(EncodeListOffsetsRequest(GoldenHeader(version), {}),
              ReadGoldenRequest(Api::kListOffsets, version, "empty.request"));
  });
}

TEST(GoldenRequestsTest, Fetch) {
  ForEachVersion(Api::kFetch, [](int16_t version) {
    const FetchRequest request = {.max_wait_ms = 500, .min_bytes = 1, .max_bytes = 1 << 20,
                                  .topics = {{kFirstTopic, {{7, kManyBytes, 1 << 20}, {0, 0, 1}}},
                                             {kLongTopic, {{kMostInt32, INT64_MAX, kMostInt32}}}}};
    EXPECT_EQ(EncodeFetchRequest(GoldenHeader(version), request), ReadGoldenRequest(Api::kFetch, version));
  });
}

TEST(GoldenRequestsTest, DescribeProducers) {
  ForEachVersion(Api::kDescribeProducers, [](int16_t version) {
    EXPECT_EQ(EncodeDescribeProducersRequest(GoldenHeader(version),
                                             {.topics = {{kFirstTopic, {7, 0}}, {kLongTopic, {kMostInt32}}}}),
              ReadGoldenRequest(Api::kDescribeProducers, version));
  });
}

}  // namespace
}  // namespace dory::kafka::protocol
