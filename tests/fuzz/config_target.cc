// Bytes as a configuration without includes. One that is taken is the same when it is written out and read again.

#include "common/config.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.find("include") != std::string_view::npos) return 0;  // this machine's files are no input
  const auto config = dory::ParseConfigText(text, "fuzz.conf");
  if (!config.ok()) return 0;
  const auto again = dory::ParseConfigText(dory::DumpConfig(config.value()), "again.conf");
  dory::fuzz::Require(again.ok() && again.value() == config.value());
  return 0;
}
