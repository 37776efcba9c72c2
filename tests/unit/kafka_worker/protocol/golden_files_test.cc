// Each api and version of versions.h has its golden files and its decoder here; each golden response is read, and
// no prefix of one.

#include <algorithm>

#include "kafka_worker/protocol/api_versions.h"
#include "kafka_worker/protocol/describe_producers.h"
#include "kafka_worker/protocol/fetch.h"
#include "kafka_worker/protocol/init_producer_id.h"
#include "kafka_worker/protocol/list_offsets.h"
#include "kafka_worker/protocol/metadata.h"
#include "kafka_worker/protocol/produce.h"
#include "kafka_worker/protocol/sasl.h"
#include "tests/unit/kafka_worker/protocol/golden.h"

namespace dory::kafka::protocol {
namespace {

struct GoldenDecoder {
  Api api;
  std::string_view kind;
  Status (*decode)(int16_t version, ByteSpan body);
};

constexpr GoldenDecoder kDecoders[] = {
    {Api::kProduce, "response", [](int16_t v, ByteSpan b) { return DecodeProduceResponse(v, b).status(); }},
    {Api::kFetch, "response", [](int16_t v, ByteSpan b) { return DecodeFetchResponse(v, b).status(); }},
    {Api::kListOffsets, "response", [](int16_t v, ByteSpan b) { return DecodeListOffsetsResponse(v, b).status(); }},
    {Api::kListOffsets, "empty.response",
     [](int16_t v, ByteSpan b) { return DecodeListOffsetsResponse(v, b).status(); }},
    {Api::kMetadata, "response", [](int16_t v, ByteSpan b) { return DecodeMetadataResponse(v, b).status(); }},
    {Api::kSaslHandshake, "response", [](int16_t v, ByteSpan b) { return DecodeSaslHandshakeResponse(v, b).status(); }},
    {Api::kApiVersions, "response", [](int16_t v, ByteSpan b) { return DecodeApiVersionsResponse(v, b).status(); }},
    {Api::kInitProducerId, "response",
     [](int16_t v, ByteSpan b) { return DecodeInitProducerIdResponse(v, b).status(); }},
    {Api::kSaslAuthenticate, "response",
     [](int16_t v, ByteSpan b) { return DecodeSaslAuthenticateResponse(v, b).status(); }},
    {Api::kSaslAuthenticate, "empty.response",
     [](int16_t v, ByteSpan b) { return DecodeSaslAuthenticateResponse(v, b).status(); }},
    {Api::kDescribeProducers, "response",
     [](int16_t v, ByteSpan b) { return DecodeDescribeProducersResponse(v, b).status(); }},
};

bool IsRead(const GoldenDecoder& decoder, int16_t version, ByteSpan frame) {
  const auto body = FindResponseBody(decoder.api, version, frame);
  return body.ok() && decoder.decode(version, body.value()).ok();
}

TEST(GoldenFilesTest, EveryApiAndVersionHasThem) {
  for (const ApiSpec& spec : kApis) {
    ForEachVersion(spec.api, [&](int16_t version) {
      for (const std::string_view kind : {"request", "response"}) {
        const auto file = kGoldenFolder / NameGoldenMessage(spec.api, version, kind);
        EXPECT_TRUE(std::filesystem::exists(file)) << file << " is missing: see tests/golden/kafka/README.md";
      }
    });
  }
}

TEST(GoldenFilesTest, EveryApiHasItsDecoderHere) {
  for (const ApiSpec& spec : kApis) {
    const bool found = std::any_of(std::begin(kDecoders), std::end(kDecoders),
                                   [&](const GoldenDecoder& decoder) { return decoder.api == spec.api; });
    EXPECT_TRUE(found) << spec.name;
  }
}

void ExpectOnlyTheWholeIsRead(const GoldenDecoder& decoder, int16_t version, std::string_view kind) {
  SCOPED_TRACE(kind);
  Bytes frame = ReadGoldenFrame(decoder.api, version, kind);
  EXPECT_TRUE(IsRead(decoder, version, frame));
  for (size_t size = 0; size < frame.size(); ++size) {
    // In memory of its own, so that a read behind its end is seen by a sanitizer.
    const Bytes prefix(frame.begin(), frame.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_FALSE(IsRead(decoder, version, prefix)) << size << " of " << frame.size() << " bytes";
  }
  frame.push_back(std::byte{0});
  EXPECT_FALSE(IsRead(decoder, version, frame)) << "a byte too many";
}

TEST(GoldenFilesTest, EveryResponseIsReadAndNoPrefixOfOne) {
  for (const GoldenDecoder& decoder : kDecoders) {
    ForEachVersion(decoder.api,
                   [&](int16_t version) { ExpectOnlyTheWholeIsRead(decoder, version, decoder.kind); });
  }
}

// Many elements that have as few bytes as they can: "least.topics.response" and the like.
std::vector<std::string> ListLeast(Api api, int16_t version) {
  const std::string begin = NameGoldenMessage(api, version, "least.").stem().filename().string();
  std::vector<std::string> kinds;
  for (const auto& entry : std::filesystem::directory_iterator(kGoldenFolder / "messages")) {
    const std::string name = entry.path().stem().string();
    if (name.starts_with(begin)) kinds.push_back(name.substr(begin.size() - std::string_view("least.").size()));
  }
  return kinds;
}

TEST(GoldenFilesTest, ResponsesWithTheLeastElementsAreRead) {
  size_t read = 0;
  for (const GoldenDecoder& decoder : kDecoders) {
    if (decoder.kind != "response") continue;
    ForEachVersion(decoder.api, [&](int16_t version) {
      for (const std::string& kind : ListLeast(decoder.api, version)) {
        ExpectOnlyTheWholeIsRead(decoder, version, kind);
        ++read;
      }
    });
  }
  EXPECT_GT(read, 0u);
}

}  // namespace
}  // namespace dory::kafka::protocol
