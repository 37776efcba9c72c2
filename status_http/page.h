// The page: the status for people, as one HTML document that needs nothing from elsewhere.
//
// page_files.h has its style and its script, which fetches the page again and again and puts the new
// <main> in the old one's place.

#pragma once

#include <cstdint>
#include <string>

#include "status_http/json_fields.h"

namespace dory::status_http {

// Beyond these topics the page says how many more there are.
inline constexpr size_t kMostTopicsShown = 100;

std::string RenderPage(const Json& status, int64_t now);

}  // namespace dory::status_http
