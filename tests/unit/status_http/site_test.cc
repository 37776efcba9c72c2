#include "status_http/site.h"

#include <gtest/gtest.h>

#include "tests/unit/status_http/sample_status.h"

namespace dory::status_http {
namespace {

class SiteTest : public ::testing::Test {
 protected:
  // What the site answers; the status comes when it is asked for.
  SharedAnswer Get(const std::string& path, const std::string& method = "GET") {
    SharedAnswer got;
    site_.Answer({method, path}, [&](SharedAnswer answer) { got = std::move(answer); });
    if (!got) source_.OnStatusJson(SampleStatus().dump());
    return got;
  }

  EventLoop loop_;
  int asked_ = 0;
  StatusSource source_{loop_, [this] { ++asked_; }};
  Site site_{source_};
};

TEST_F(SiteTest, EveryPathHasItsType) {
  const std::pair<const char*, std::string_view> paths[] = {
      {"/", "text/html"},
      {"/status.json", "application/json"},
      {"/healthz", "text/plain"},
      {"/counters", "text/plain"},
      {"/counters/plain", "text/plain"},
      {"/counters/json", "application/json"},
      {"/discards", "text/plain"},
      {"/discards/plain", "text/plain"},
      {"/discards/json", "application/json"},
      {"/server_info/plain", "text/plain"},
      {"/server_info/json", "application/json"},
      {"/page.css", "text/css"},
      {"/page.js", "text/javascript"},
  };
  for (const auto& [path, type] : paths) {
    const SharedAnswer answer = Get(path);
    EXPECT_EQ(answer->code, kOk) << path;
    EXPECT_TRUE(answer->content_type.starts_with(type)) << path;
    if (type == "application/json") {
      EXPECT_TRUE(Json::accept(answer->body)) << path;
    }
    EXPECT_EQ(Get(path, "HEAD")->code, kOk) << path;
    EXPECT_EQ(Get(path, "POST")->code, kMethodNotAllowed) << path;
  }
}

TEST_F(SiteTest, StatusJsonIsTheStatus) { EXPECT_EQ(Json::parse(Get("/status.json")->body), SampleStatus()); }

TEST_F(SiteTest, AnotherPathIsNotFoundWhateverTheMethod) {
  for (const char* path : {"", "//", "/counters/", "/counters/xml", "/../etc/passwd", "*"}) {
    EXPECT_EQ(Get(path)->code, kNotFound) << path;
    EXPECT_EQ(Get(path, "DELETE")->code, kNotFound) << path;
  }
  EXPECT_EQ(asked_, 0);
}

TEST_F(SiteTest, ManyThatAskAtOnceAreOneQuestion) {
  int answered = 0;
  for (int i = 0; i < 10; ++i) site_.Answer({"GET", "/healthz"}, [&](const SharedAnswer&) { ++answered; });
  EXPECT_EQ(asked_, 1);
  EXPECT_EQ(answered, 0);
  source_.OnStatusJson(SampleStatus().dump());
  EXPECT_EQ(answered, 10);
  EXPECT_EQ(Get("/counters"), Get("/counters"));  // made once
  EXPECT_EQ(asked_, 1);
}

TEST_F(SiteTest, WithoutAnAnswerNothingIsShown) {
  SharedAnswer answer;
  site_.Answer({"GET", "/"}, [&](SharedAnswer got) { answer = std::move(got); });
  source_.OnStatusJson("not a status");
  EXPECT_EQ(answer->code, kUnavailable);
  EXPECT_EQ(answer->body, "dory does not answer\n");
}

}  // namespace
}  // namespace dory::status_http
