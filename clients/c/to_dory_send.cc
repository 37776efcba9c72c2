#include "clients/c/to_dory_send.h"

#include <cerrno>
#include <cstring>
#include <iostream>

namespace dory::client {
namespace {

dory_code ComposeVersion0(const Options& options, const dory_message& message,
                          std::vector<char>& buffer) {
  const dory_kind kind = options.partition_key ? DORY_PARTITION_KEY : DORY_ANY_PARTITION;
  size_t size = 0;
  const dory_code code = dory_message_size(kind, &message, &size);
  if (code != DORY_OK) return code;
  buffer.resize(size);
  if (options.partition_key) {
    return dory_write_partition_key(buffer.data(), size, *options.partition_key, &message, &size);
  }
  return dory_write_any_partition(buffer.data(), size, &message, &size);
}

dory_code ComposeVersion1(const Options& options, const dory_message& message,
                          const dory_extras& extras, std::vector<char>& buffer) {
  const dory_kind kind = options.partition_key ? DORY_PARTITION_KEY : DORY_ANY_PARTITION;
  size_t size = 0;
  const dory_code code = dory_message_size_v1(kind, &message, &extras, &size);
  if (code != DORY_OK) return code;
  buffer.resize(size);
  if (options.partition_key) {
    return dory_write_partition_key_v1(buffer.data(), size, *options.partition_key, &message,
                                       &extras, &size);
  }
  return dory_write_any_partition_v1(buffer.data(), size, &message, &extras, &size);
}

}  // namespace

dory_code Compose(const Options& options, uint64_t number, const std::string& value,
                  std::vector<char>& buffer) {
  const dory_message message = {
      .topic = options.topic.data(),
      .topic_size = options.topic.size(),
      .timestamp_ms = dory_now_ms(),
      .key = options.key ? options.key->data() : nullptr,
      .key_size = options.key ? options.key->size() : 0,
      .value = options.null_value ? nullptr : value.data(),
      .value_size = value.size(),
  };
  if (!options.IsVersion1()) return ComposeVersion0(options, message, buffer);
  std::vector<dory_header> headers;
  for (const auto& [name, content] : options.headers) {
    headers.push_back({name.data(), name.size(), content.data(), content.size()});
  }
  const dory_extras extras = {
      .headers = headers.data(),
      .header_count = headers.size(),
      .asks_receipt = options.receipt,
      .receipt_id = static_cast<int64_t>(number),
  };
  return ComposeVersion1(options, message, extras, buffer);
}

std::string NameAddress(const Options& options) {
  if (!options.socket_path.empty()) return options.socket_path;
  if (!options.stream_socket_path.empty()) return options.stream_socket_path;
  return "TCP port " + std::to_string(options.port);
}

std::string NameMessage(const Options& options, uint64_t number) {
  return "message " + std::to_string(number) + " to " + NameAddress(options);
}

int FailToSend(std::string_view what, dory_code code) {
  std::cerr << "to_dory: " << what << ": " << dory_code_text(code);
  if (code == DORY_SYSTEM_ERROR || code == DORY_NOT_RUNNING) {
    std::cerr << " (" << std::strerror(errno) << ")";
  } else if (code == DORY_TOO_LARGE && errno == EMSGSIZE) {
    std::cerr << " for a datagram socket (net.core.wmem_max limits it)";
  } else if (code == DORY_TOO_LARGE && errno == ENOBUFS) {
    std::cerr << " for a datagram socket (the kernel holds one in one piece, about 4 MiB at most)";
  }
  std::cerr << "\n";
  return kExitNotSent;
}

void PrintProgress(const Options& options, uint64_t number) {
  if (options.print_every == 0 || number % options.print_every != 0) return;
  std::cout << number << " messages written" << std::endl;
}

}  // namespace dory::client
