// Text inside HTML documents.
#pragma once

#include <string>
#include <string_view>

namespace assay {

// `text` with &, <, >, " and ' as character references, and safe_text(): safe between tags and inside quoted
// attributes, whatever file it comes from.
std::string html_escape(std::string_view text);

}  // namespace assay
