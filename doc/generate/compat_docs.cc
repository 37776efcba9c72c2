// Writes what the table of versions says, and what the tests have seen on real brokers, as a document:
// doc/kafka_compat.md. `make docs` rewrites it, `make docs-check` fails where it is stale.

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "kafka_worker/protocol/versions.h"

namespace dory {
namespace {

using kafka::protocol::ApiSpec;
using kafka::protocol::kApis;

constexpr const char* kHead =
    R"(# Brokers

<!-- Generated from kafka_worker/protocol/versions.h by doc/generate/compat_docs.cc: `make docs`. -->

Dory speaks to any Kafka from 0.8.2 to 4.3, and finds out by itself which, with each connection; nothing
is configured. `doryctl status --json` says of each broker that is up which versions are in use with it
(`versions`) and in which format messages go there (`message_format`). Brokers of one cluster may differ,
as they do while it is upgraded.

| Kafka | Produce | message format | delivered | timestamps | headers | codecs |
|---|---|---|---|---|---|---|
| 0.8.2, 0.9 | 0 | 0 | at least once | none | left out | gzip, snappy, lz4 |
| 0.10 | 2 | 1 | at least once | the client's | left out | gzip, snappy, lz4 |
| 0.11, 1, 2.0 | 3 to 6 | 2 | once | the client's | the client's | gzip, snappy, lz4 |
| 2.1 and newer | 7 and newer | 2 | once | the client's | the client's | gzip, snappy, lz4, zstd |

* *At least once*: these brokers can't tell a repetition from a new message. What is sent again after an
  attempt whose outcome is not known is counted, before it is sent, as possible duplicates: in the books,
  by topic, and in the discard report. The status has a warning while such a broker is connected.
* A codec that a broker does not know is not used there: batches go uncompressed, which is logged once.
* 0.8 and 0.9 do not answer ApiVersions. To find that out takes two connections; with 0.9, which closes
  none of them, some seconds.
* SASL needs Kafka 0.10. 0.9 has it with Kerberos alone, and takes the question for its version for a wrong
  token: to 0.9 over PLAINTEXT or SSL.

`make check-kafka` runs one broker of each of 0.8.2.2, 0.9.0.1, 0.10.2.2, 0.11.0.3, 1.1.1, 2.8.2, 3.9.1 and
4.3.0, clusters of three of 2.8.2, 3.9.1 and 4.3.0, and upgrades broker by broker. Which rights Dory needs
there: [kafka_acls.md](kafka_acls.md).

## Other brokers

None of these was tried. What is expected, from what their makers say:

* **Redpanda** calls itself compatible with Kafka 0.11 and newer: as Kafka, exactly once.
* **Amazon MSK** runs Apache Kafka: as Kafka. Of its ways to authenticate Dory knows mutual TLS and
  SCRAM-SHA-512, and with IAM the mechanism OAUTHBEARER, where something of yours keeps a token of the
  region's signer in `[sasl] token_file`; not AWS_MSK_IAM, the mechanism of its Java library.
* **Azure Event Hubs** speaks Kafka's protocol with SASL_SSL and PLAIN on port 9093, with the user name
  `$ConnectionString` and the connection string as the password. Whether it has the idempotent producer, and
  which codecs it takes, differs by tier and year: leave `compression = none` until it is known to work.

## Requests

Of each request the newest version that both know is used.

| request | key | versions | flexible from |
|---|---|---|---|
)";

constexpr const char* kNegotiatedHead = R"(
## What was seen

`make check-kafka` finds these versions spoken with one broker of each. `-`: it offers none that Dory speaks.

| Kafka | message format |)";

void PrintCompat() {
  std::fputs(kHead, stdout);
  for (const ApiSpec& spec : kApis) {
    const std::string flexible = spec.first_flexible > spec.spoken.highest ? "-" : std::to_string(spec.first_flexible);
    std::printf("| %s | %d | %d to %d | %s |\n", std::string(spec.name).c_str(), static_cast<int>(spec.api),
                spec.spoken.lowest, spec.spoken.highest, flexible.c_str());
  }
}

// A line of the file: version, message format, then Api=version of each that both know.
void PrintBroker(const std::string& line) {
  std::istringstream words(line);
  std::string version, format;
  words >> version >> format;
  std::string apis = " " + line + " ";
  std::printf("| %s | %s |", version.c_str(), format.c_str());
  for (const ApiSpec& spec : kApis) {
    const std::string name = " " + std::string(spec.name) + "=";
    const size_t at = apis.find(name);
    const size_t begin = at + name.size();
    std::printf(" %s |", at == std::string::npos ? "-" : apis.substr(begin, apis.find(' ', begin) - begin).c_str());
  }
  std::printf("\n");
}

void PrintNegotiated(std::istream& file) {
  std::fputs(kNegotiatedHead, stdout);
  for (const ApiSpec& spec : kApis) std::printf(" %s |", std::string(spec.name).c_str());
  std::fputs("\n|---|---|", stdout);
  for (size_t i = 0; i < std::size(kApis); ++i) std::fputs("---|", stdout);
  std::fputs("\n", stdout);
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line[0] != '#') PrintBroker(line);
  }
}

}  // namespace
}  // namespace dory

int main(int argc, char** argv) {
  std::ifstream negotiated(argc > 1 ? argv[1] : "");
  if (!negotiated) {
    std::fprintf(stderr, "usage: compat_docs tests/kafka/negotiated.txt\n");
    return 2;
  }
  dory::PrintCompat();
  dory::PrintNegotiated(negotiated);
}
