// What to_dory's two ways of sending share: a message as bytes, and what is said of one that failed.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "clients/c/dory_client.h"
#include "clients/c/to_dory_options.h"

namespace dory::client {

// Message `number`, which is the id that its receipt will have.
dory_code Compose(const Options& options, uint64_t number, const std::string& value,
                  std::vector<char>& buffer);

std::string NameAddress(const Options& options);

// "message 7 to /run/dory/input_stream_sock"
std::string NameMessage(const Options& options, uint64_t number);

// Says on stderr why, with errno where that says more; returns kExitNotSent.
int FailToSend(std::string_view what, dory_code code);

// A line on standard output after each so many messages, where that is asked for.
void PrintProgress(const Options& options, uint64_t number);

}  // namespace dory::client
