// Escaping for HTML.
#include "report/html_text.h"

#include "report/format.h"

namespace assay {

std::string html_escape(std::string_view text) {
    std::string escaped;
    for (char c : safe_text(text)) {
        switch (c) {
            case '&':
                escaped += "&amp;";
                break;
            case '<':
                escaped += "&lt;";
                break;
            case '>':
                escaped += "&gt;";
                break;
            case '"':
                escaped += "&quot;";
                break;
            case '\'':
                escaped += "&#39;";
                break;
            default:
                escaped += c;
        }
    }
    return escaped;
}

}  // namespace assay
