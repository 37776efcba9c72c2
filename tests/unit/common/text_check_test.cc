#include "common/text_check.h"

#include <gtest/gtest.h>

namespace dory {
namespace {

using std::string_view_literals::operator""sv;

TEST(TextCheckTest, TextOfAnyScriptIsText) {
  BadByte bad;
  for (std::string_view line : {""sv, "a\tb"sv, "caf\xC3\xA9"sv, "\xE2\x82\xAC"sv, "\xF0\x9F\x98\x80"sv,
                                "\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF"sv}) {
    EXPECT_FALSE(FindBadByte(line, &bad)) << line;
  }
}

TEST(TextCheckTest, TheFirstBadByteIsNamed) {
  const struct {
    std::string_view line;
    size_t offset;
    int value;
    std::string_view what;
  } kLines[] = {
      {"ab\0c"sv, 2, 0, "a control character"},      {"\x1B[31m"sv, 0, 0x1B, "a control character"},
      {"a\x7F"sv, 1, 0x7F, "a control character"},   {"caf\xE9"sv, 3, 0xE9, "not UTF-8"},
      {"\xC3"sv, 0, 0xC3, "not UTF-8"},              {"\xC3x"sv, 0, 0xC3, "not UTF-8"},
      {"\x80"sv, 0, 0x80, "not UTF-8"},              {"\xC0\x80"sv, 0, 0xC0, "not UTF-8"},
      {"\xE0\x9F\xBF"sv, 0, 0xE0, "not UTF-8"},      {"\xED\xA0\x80"sv, 0, 0xED, "not UTF-8"},
      {"\xF0\x8F\xBF\xBF"sv, 0, 0xF0, "not UTF-8"},  {"\xF4\x90\x80\x80"sv, 0, 0xF4, "not UTF-8"},
      {"\xE2\x82\xAC\xE2\x82"sv, 3, 0xE2, "not UTF-8"}, {"x\xFF\xFE"sv, 1, 0xFF, "not UTF-8"}};
  for (const auto& expected : kLines) {
    BadByte bad{};
    ASSERT_TRUE(FindBadByte(expected.line, &bad)) << expected.line;
    EXPECT_EQ(bad.offset, expected.offset) << expected.line;
    EXPECT_EQ(bad.value, expected.value) << expected.line;
    EXPECT_EQ(bad.what, expected.what) << expected.line;
  }
}

TEST(TextCheckTest, TextIsCutBetweenCharacters) {
  EXPECT_EQ(Shorten("abc", 3), "abc");
  EXPECT_EQ(Shorten("abcd", 3), "abc...");
  EXPECT_EQ(Shorten("ab\xC3\xA9x", 3), "ab...");
  EXPECT_EQ(Shorten("ab\xC3\xA9x", 4), "ab\xC3\xA9...");
  EXPECT_EQ(Shorten("abcd", 0), "...");
}

TEST(TextCheckTest, WhatOthersSayIsQuotedAsText) {
  EXPECT_EQ(Quote("caf\xC3\xA9"), "caf\xC3\xA9");
  EXPECT_EQ(Quote("a\n\xFF\xC3"), "a???");
  EXPECT_EQ(Quote(std::string(255, 'x')), std::string(255, 'x'));
  EXPECT_EQ(Quote(std::string(32'767, '\xFF'), 4), "????...");
}

}  // namespace
}  // namespace dory
