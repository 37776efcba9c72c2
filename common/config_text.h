// A configuration file and what it includes, as sections of key = value lines with their places.
//
// What is found here is the form alone; config_build.cc knows what sections and keys mean. The
// reading itself is in config.cc, beside the only use of inih.

#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "common/text_check.h"

namespace dory {

struct ConfigPlace {
  size_t file = 0;  // index into ConfigText::files
  int line = 0;     // from 1
};

struct ConfigLine {
  std::string key;
  std::string value;
  ConfigPlace place;
};

struct ConfigSection {
  std::string name;  // "input:datagram"
  ConfigPlace place;
  std::vector<ConfigLine> lines;
};

struct ConfigError {
  ConfigPlace place;
  std::string text;  // "[section] key = value: what is wrong; allowed: ..."
};

struct ConfigText {
  std::vector<std::string> files;  // [0] is the one that was asked for
  std::vector<ConfigSection> sections;
  std::vector<ConfigError> errors;
  int last_line = 1;  // of files[0]
};

// "FILE:LINE"
inline std::string FormatPlace(const ConfigText& text, const ConfigPlace& place) {
  return text.files[place.file] + ":" + std::to_string(place.line);
}

// "[section]", of one that is refused not all.
inline std::string ShowSection(const ConfigSection& section) {
  constexpr size_t kMaxShown = 300;
  return "[" + Shorten(section.name, kMaxShown) + "]";
}

// The first line that sets `key`; nullptr: there is none.
inline const ConfigLine* FindLine(const ConfigSection& section, std::string_view key) {
  auto found = std::ranges::find(section.lines, key, &ConfigLine::key);
  return found == section.lines.end() ? nullptr : &*found;
}

// "[section] key = value: what", at the line's place.
inline void AddLineError(ConfigText* text, const ConfigSection& section, const ConfigLine& line,
                         const std::string& what) {
  text->errors.push_back({line.place, ShowSection(section) + " " + line.key + " = " + line.value + ": " + what});
}

}  // namespace dory
