#include "status_http/html.h"

#include <fmt/core.h>

namespace dory::status_http {
namespace {

std::string FormatHead(const std::vector<Column>& columns) {
  std::string html = "<thead><tr>";
  for (const Column& column : columns) {
    html += fmt::format("<th{}>{}</th>", column.is_figure ? " class=\"figure\"" : "", EscapeHtml(column.title));
  }
  return html + "</tr></thead>\n";
}

std::string FormatRow(const std::vector<Column>& columns, const std::vector<Cell>& row) {
  std::string html = "<tr>";
  for (size_t i = 0; i < row.size(); ++i) {
    const std::string style = fmt::format("{}{}", columns[i].is_figure ? "figure " : "", row[i].style);
    html += fmt::format("<td class=\"{}\">{}</td>", EscapeHtml(style), EscapeHtml(row[i].text));
  }
  return html + "</tr>\n";
}

}  // namespace

std::string EscapeHtml(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      case '\'': escaped += "&#39;"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

std::string FormatHtmlTable(const std::vector<Column>& columns, const std::vector<std::vector<Cell>>& rows,
                            std::string_view nothing) {
  if (rows.empty()) return fmt::format("<p class=\"nothing\">{}</p>\n", EscapeHtml(nothing));
  std::string html = "<div class=\"wide\"><table>\n" + FormatHead(columns) + "<tbody>\n";
  for (const std::vector<Cell>& row : rows) html += FormatRow(columns, row);
  return html + "</tbody></table></div>\n";
}

}  // namespace dory::status_http
