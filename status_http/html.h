// HTML as text: what comes from outside is escaped, here and nowhere else.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dory::status_http {

// For text between tags and for values between double quotes.
std::string EscapeHtml(std::string_view text);

// A cell of a table; `text` is escaped when it is written.
struct Cell {
  std::string text;
  std::string_view style = "";  // a class of page.css: "bad", "state up"
};

struct Column {
  std::string_view title;
  bool is_figure = true;  // to the right
};

// Every row has as many cells as there are columns. Without rows: `nothing` in their place.
std::string FormatHtmlTable(const std::vector<Column>& columns, const std::vector<std::vector<Cell>>& rows,
                            std::string_view nothing);

}  // namespace dory::status_http
