#include "kafka_worker/protocol/versions.h"

#include <gtest/gtest.h>

namespace dory::kafka::protocol {
namespace {

TEST(VersionsTest, EveryApiHasItsRow) {
  for (Api api : {Api::kProduce, Api::kFetch, Api::kListOffsets, Api::kMetadata, Api::kSaslHandshake,
                  Api::kApiVersions, Api::kInitProducerId, Api::kSaslAuthenticate, Api::kDescribeProducers}) {
    EXPECT_EQ(FindApi(api).api, api) << static_cast<int>(api);
  }
}

TEST(VersionsTest, RowsMakeSense) {
  for (const ApiSpec& spec : kApis) {
    EXPECT_LE(spec.spoken.lowest, spec.spoken.highest) << spec.name;
    EXPECT_GE(spec.spoken.lowest, 0) << spec.name;
    EXPECT_FALSE(spec.name.empty());
  }
}

TEST(VersionsTest, ChoosesTheNewestOfBoth) {
  EXPECT_EQ(ChooseVersion({3, 12}, {0, 13}), 12);
  EXPECT_EQ(ChooseVersion({3, 12}, {0, 9}), 9);
  EXPECT_EQ(ChooseVersion({3, 12}, {12, 20}), 12);
  EXPECT_EQ(ChooseVersion({3, 12}, {3, 3}), 3);
}

TEST(VersionsTest, ChoosesNoneWhereRangesDoNotMeet) {
  EXPECT_EQ(ChooseVersion({3, 12}, {0, 2}), std::nullopt);
  EXPECT_EQ(ChooseVersion({3, 12}, {13, 15}), std::nullopt);
  EXPECT_EQ(ChooseVersion({3, 12}, {0, -1}), std::nullopt);
}

TEST(VersionsTest, HeadersFollowTheFirstFlexibleVersion) {
  EXPECT_EQ(ChooseRequestHeaderVersion(Api::kProduce, 8), 1);
  EXPECT_EQ(ChooseRequestHeaderVersion(Api::kProduce, 9), 2);
  EXPECT_EQ(ChooseResponseHeaderVersion(Api::kProduce, 8), 0);
  EXPECT_EQ(ChooseResponseHeaderVersion(Api::kProduce, 9), 1);
  EXPECT_EQ(ChooseRequestHeaderVersion(Api::kInitProducerId, 2), 2);
  EXPECT_EQ(ChooseRequestHeaderVersion(Api::kApiVersions, 3), 2);
}

TEST(VersionsTest, TheMessageFormatFollowsProduce) {
  const int8_t kFormats[] = {0, 0, 1, 2, 2, 2};
  for (int16_t version = 0; version < 6; ++version) EXPECT_EQ(ChooseMessageFormat(version), kFormats[version]);
  EXPECT_EQ(ChooseMessageFormat(FindApi(Api::kProduce).spoken.highest), 2);
}

TEST(VersionsTest, ApiVersionsResponsesAlwaysHaveThePlainHeader) {
  for (int16_t version = 0; version <= FindApi(Api::kApiVersions).spoken.highest; ++version) {
    EXPECT_EQ(ChooseResponseHeaderVersion(Api::kApiVersions, version), 0);
  }
}

}  // namespace
}  // namespace dory::kafka::protocol
