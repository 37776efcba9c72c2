#include "common/text_check.h"

namespace dory {
namespace {

bool IsContinuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// Bytes of the character at the front of `text`; 0: there is none. No overlong forms, no surrogates,
// nothing above U+10FFFF.
size_t MeasureCharacter(std::string_view text) {
  const auto at = [text](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned first = at(0);
  const unsigned second = at(1);
  if (first < 0x80) return 1;
  const size_t size = first >= 0xC2 && first <= 0xDF   ? 2
                      : first >= 0xE0 && first <= 0xEF ? 3
                      : first >= 0xF0 && first <= 0xF4 ? 4
                                                       : 0;
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool none = (first == 0xED && second > 0x9F) || (first == 0xF4 && second > 0x8F);
  if (overlong || none) return 0;
  for (size_t i = 1; i < size; ++i) {
    if (!IsContinuation(static_cast<unsigned char>(at(i)))) return 0;
  }
  return size;
}

}  // namespace

bool FindBadByte(std::string_view line, BadByte* bad) {
  for (size_t i = 0; i < line.size();) {
    const auto byte = static_cast<unsigned char>(line[i]);
    const size_t size = MeasureCharacter(line.substr(i));
    const bool control = (byte < ' ' && byte != '\t') || byte == 0x7F;
    if (control || size == 0) {
      *bad = {i, byte, control ? "a control character" : "not UTF-8"};
      return true;
    }
    i += size;
  }
  return false;
}

std::string Shorten(std::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  while (most > 0 && IsContinuation(static_cast<unsigned char>(text[most]))) --most;
  return std::string(text.substr(0, most)) + "...";
}

std::string Quote(std::string_view said, size_t most) {
  std::string quoted = Shorten(said, most);
  for (BadByte bad; FindBadByte(quoted, &bad);) quoted[bad.offset] = '?';
  return quoted;
}

}  // namespace dory
