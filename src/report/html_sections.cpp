#include "report/html_sections.h"

#include <fmt/format.h>

#include "report/html_text.h"

namespace assay {

std::string tile(std::string_view name, const std::string& value, const std::string& more) {
    return fmt::format(
        "<div class=\"tile\"><div class=\"name\">{}</div><div class=\"value\">{}</div><div "
        "class=\"more\">{}</div></div>\n",
        name, value, more);
}

std::string rows_section(const std::string& title, const std::string& note, const TextRows& table) {
    if (table.rows.empty()) return "";
    std::string html = "<section><h2>" + title + "</h2>\n<p class=\"note\">" + note +
                       "</p>\n<div class=\"scroll\">\n<table><thead><tr>";
    for (const std::string& name : table.header) html += "<th scope=\"col\">" + html_escape(name) + "</th>";
    html += "</tr></thead><tbody>\n";
    for (const auto& row : table.rows) {
        html += "<tr>";
        for (std::size_t c = 0; c < row.size(); ++c)
            html += (c == 0 ? "<td class=\"mono\">" : "<td>") + html_escape(row[c]) + "</td>";
        html += "</tr>\n";
    }
    return html + "</tbody></table></div></section>\n";
}

std::string sentences_section(const std::string& title, const std::vector<std::string>& sentences) {
    std::string items;
    for (const std::string& sentence : sentences) items += "<li>" + html_escape(sentence) + "</li>\n";
    if (items.empty()) return "";
    return "<section><h2>" + title + "</h2>\n<ul class=\"conclusions\">\n" + items + "</ul></section>\n";
}

}  // namespace assay
