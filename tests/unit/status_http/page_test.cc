#include "status_http/page.h"

#include <gtest/gtest.h>

#include "status_http/html.h"
#include "tests/unit/status_http/sample_status.h"

namespace dory::status_http {
namespace {

bool Shows(const std::string& page, const std::string& text) { return page.find(text) != std::string::npos; }

TEST(HtmlTest, EscapesWhatHasAMeaning) {
  EXPECT_EQ(EscapeHtml("a<b>&\"'c"), "a&lt;b&gt;&amp;&quot;&#39;c");
  EXPECT_EQ(EscapeHtml(""), "");
}

TEST(HtmlTest, ATableWithoutRowsSaysSo) {
  EXPECT_EQ(FormatHtmlTable({{"a"}}, {}, "<none>"), "<p class=\"nothing\">&lt;none&gt;</p>\n");
  EXPECT_TRUE(Shows(FormatHtmlTable({{"a", false}, {"b"}}, {{{"x", "bad"}, {"1"}}}, ""),
                    "<tr><td class=\"bad\">x</td><td class=\"figure \">1</td></tr>"));
}

TEST(PageTest, ShowsTheFigures) {
  const std::string page = RenderPage(SampleStatus(), kNow);
  for (const char* text : {"<title>Dory test: up</title>", "18,446,744,073,709,551,615", "9,007,199,254,740,993",
                           "1.2 s", "512.0 KiB of 1.0 MiB", "<progress max=\"1048576\" value=\"524288\">", "kafka-1:9092",
                           "web.log", "too_large", "unsupported_version", "intake-0", "backoff"}) {
    EXPECT_TRUE(Shows(page, text)) << text;
  }
  EXPECT_FALSE(Shows(page, "Warnings"));
}

TEST(PageTest, NothingFromOutsideIsMarkup) {
  const std::string page = RenderPage(HostileStatus(), kNow);
  EXPECT_FALSE(Shows(page, "<script>alert"));
  EXPECT_TRUE(Shows(page, "&lt;/td&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;"));
  EXPECT_TRUE(Shows(page, "Warnings"));
}

TEST(PageTest, NeedsNothingFromElsewhere) {
  const std::string page = RenderPage(SampleStatus(), kNow);
  EXPECT_FALSE(Shows(page, "http://"));
  EXPECT_FALSE(Shows(page, "https://"));
  EXPECT_FALSE(Shows(page, "style=\""));  // the policy that goes with it forbids these
  EXPECT_FALSE(Shows(page, "onclick"));
}

TEST(PageTest, ShowsWhatItHasWhereAWorkerDoesNotAnswer) {
  Json status = SampleStatus();
  status.erase("brokers");
  status["buffer"]["pool_used"] = nullptr;
  EXPECT_TRUE(Shows(RenderPage(status, kNow), "the kafka worker does not answer"));
  EXPECT_TRUE(Shows(RenderPage(status, kNow), "– of 2.0 MiB"));
  EXPECT_TRUE(Shows(RenderPage(Json::object(), kNow), "</html>"));
}

TEST(PageTest, ManyTopicsAreCutWhereNobodyHasToLook) {
  Json status = SampleStatus();
  for (int i = 0; i < 5000; ++i) status["topics"].push_back({{"name", "quiet" + std::to_string(i)}, {"received", i}});
  status["topics"].push_back({{"name", "stuck"}, {"buffered", 7}});
  const std::string page = RenderPage(status, kNow);
  EXPECT_TRUE(Shows(page, ">stuck<"));
  EXPECT_TRUE(Shows(page, ">quiet4999<"));
  EXPECT_FALSE(Shows(page, ">quiet1<"));
  EXPECT_TRUE(Shows(page, "and 4,903 more"));
}

}  // namespace
}  // namespace dory::status_http
