// Whether a line is text: UTF-8 without control characters.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace dory {

struct BadByte {
  size_t offset;
  unsigned char value;
  const char* what;  // "a control character", "not UTF-8"
};

// The first byte that makes it none; false: it is text. A tab is text, every other control character
// and DEL are not.
bool FindBadByte(std::string_view line, BadByte* bad);

// At most `most` bytes of a text, cut between characters and then followed by "...".
std::string Shorten(std::string_view text, size_t most);

// What somebody else has said, as a line of ours may quote it: shortened, and a question mark for each byte that is
// no text.
std::string Quote(std::string_view said, size_t most = 255);

}  // namespace dory
