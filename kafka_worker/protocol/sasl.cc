#include "kafka_worker/protocol/sasl.h"

namespace dory::kafka::protocol {
namespace {

constexpr size_t kLeastNameBytes = 2;
// Six are known to Kafka, a broker's own come on top. RFC 4422 has names of 20 bytes; Kafka does not hold it.
constexpr size_t kMostMechanisms = 64;
constexpr size_t kMostMechanismBytes = 64;
constexpr size_t kMostHeaderBytes = 64;  // beside the client id

}  // namespace

Bytes EncodeSaslHandshakeRequest(const RequestHeader& header, std::string_view mechanism) {
  Bytes out;
  Writer writer(&out, IsFlexible(Api::kSaslHandshake, header.version));
  EncodeRequestHeader(Api::kSaslHandshake, header, &writer);
  writer.PutString(mechanism);
  FinishRequest(0, 0, &writer);
  return out;
}

Bytes EncodeSaslAuthenticateRequest(const RequestHeader& header, ByteSpan token) {
  Bytes out;
  out.reserve(kMostHeaderBytes + header.client_id.size() + token.size());
  Writer writer(&out, IsFlexible(Api::kSaslAuthenticate, header.version));
  EncodeRequestHeader(Api::kSaslAuthenticate, header, &writer);
  writer.PutByteCount(token.size());
  writer.PutRaw(token);
  writer.PutNoTags();
  FinishRequest(0, 0, &writer);
  return out;
}

Bytes EncodeBareToken(ByteSpan token) {
  Bytes out;
  out.reserve(kFrameSizeBytes + token.size());
  Writer writer(&out, false);
  writer.PutByteCount(token.size());
  writer.PutRaw(token);
  return out;
}

Result<SaslHandshakeResponse> DecodeSaslHandshakeResponse(int16_t version, ByteSpan body) {
  Reader reader(body, IsFlexible(Api::kSaslHandshake, version));
  SaslHandshakeResponse response;
  response.error_code = reader.Read<int16_t>();
  const size_t count = reader.ReadArrayCount(kLeastNameBytes);
  if (count > kMostMechanisms) reader.Fail();
  for (size_t i = 0; i < count && reader.ok(); ++i) {
    const std::string_view name = reader.ReadString();
    if (name.size() > kMostMechanismBytes) reader.Fail();
    response.mechanisms.emplace_back(name);
  }
  const Status status = reader.Finish("SaslHandshake response", version);
  if (!status.ok()) return status;
  return response;
}

Result<SaslAuthenticateResponse> DecodeSaslAuthenticateResponse(int16_t version, ByteSpan body) {
  Reader reader(body, IsFlexible(Api::kSaslAuthenticate, version));
  SaslAuthenticateResponse response;
  response.error_code = reader.Read<int16_t>();
  response.error_message = reader.ReadNullableString().value_or("");
  response.token = reader.ReadRaw(reader.ReadArrayCount(1));
  if (version >= 1) response.session_lifetime_ms = reader.Read<int64_t>();
  reader.SkipTags();
  const Status status = reader.Finish("SaslAuthenticate response", version);
  if (!status.ok()) return status;
  return response;
}

}  // namespace dory::kafka::protocol
