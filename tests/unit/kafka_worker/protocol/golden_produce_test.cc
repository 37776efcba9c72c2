// Produce requests of all versions, with the records that go with each, byte for byte as Kafka's own classes wrote them.

#include "kafka_worker/protocol/produce.h"
#include "tests/unit/kafka_worker/protocol/golden_records.h"

namespace dory::kafka::protocol {
namespace {

constexpr int16_t kAcksAll = -1;
constexpr int32_t kTimeoutMs = 30'000;
constexpr int16_t kGzipBits = 1;

// The parts of a request as the sender puts them together, and what it splices in.
class RequestOfAll {
 public:
  explicit RequestOfAll(int16_t version) : version_(version), format_(ChooseMessageFormat(version)) {}

  Bytes Encode() {
    encoder_.Begin(GoldenHeader(version_), kAcksAll, kTimeoutMs, 2);
    encoder_.BeginTopic(kFirstTopic, GoldenTopicId(kFirstTopic), 2);
    Add(7, format_ == 2 ? "one" : "plain");
    Add(0, "plain");
    encoder_.BeginTopic(kLongTopic, GoldenTopicId(kLongTopic), 1);
    if (format_ == 1) {
      AddCompressed(kMostInt32);
    } else {
      Add(kMostInt32, format_ == 2 ? "headers" : "plain");
    }
    const size_t size = encoder_.Finish();
    const Bytes whole = Splice();
    EXPECT_EQ(whole.size(), size);
    return whole;
  }

 private:
  void Add(int32_t partition, std::string_view content) {
    const GoldenRecords records = RecordsOf(content);
    if (format_ == 2) {
      spliced_.push_back(EncodeRecords(records));
      encoder_.AddPartition(partition, HeaderOf(records, spliced_.back()));
    } else {
      spliced_.push_back(EncodeMessageSet(format_, records));
      encoder_.AddWholeBatch(partition, spliced_.back().size());
    }
  }

  // The wrapper is ours, what it wraps Kafka's gzip.
  void AddCompressed(int32_t partition) {
    const Bytes golden = ReadGoldenRecords(format_, "plain", "gzip");
    spliced_.emplace_back(golden.begin() + static_cast<ptrdiff_t>(MessageOverhead(format_)), golden.end());
    const ByteSpan value(spliced_.back());
    encoder_.AddWrapper(partition, {format_, kGzipBits, 4, MaxTimestamp(PlainRecords())}, std::span(&value, 1));
  }

  Bytes Splice() const {
    Bytes whole;
    size_t at = 0;
    const auto append = [&whole](ByteSpan bytes) { whole.insert(whole.end(), bytes.begin(), bytes.end()); };
    for (size_t i = 0; i < spliced_.size(); ++i) {
      append(encoder_.buffer().subspan(at, encoder_.splices()[i].offset - at));
      append(spliced_[i]);
      at = encoder_.splices()[i].offset;
    }
    append(encoder_.buffer().subspan(at));
    return whole;
  }

  const int16_t version_;
  const int8_t format_;
  ProduceEncoder encoder_;
  std::vector<Bytes> spliced_;
};

TEST(GoldenRequestsTest, Produce) {
  ForEachVersion(Api::kProduce, [](int16_t version) {
    EXPECT_EQ(RequestOfAll(version).Encode(), ReadGoldenRequest(Api::kProduce, version));
  });
}

}  // namespace
}  // namespace dory::kafka::protocol
