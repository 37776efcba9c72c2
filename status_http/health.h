// /healthz: whether messages are taken and delivered, in a word and a status code.
//
// 200 where the state is "up". 503, with why, where it is anything else: starting, degraded, draining,
// stopping. Trouble of dory-status alone does not count, nor does a broker that can't be reached: what is
// buffered then waits, and restarting Dory would not help.

#pragma once

#include "status_http/http_message.h"
#include "status_http/json_fields.h"

namespace dory::status_http {

struct Health {
  unsigned code;
  std::string text;  // a line
};

Health JudgeHealth(const Json& status);

}  // namespace dory::status_http
