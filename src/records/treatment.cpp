// Reading and printing treatments.
#include "records/treatment.h"

#include <algorithm>
#include <array>

#include "base/error.h"

namespace assay {
namespace {

constexpr std::array<std::string_view, 1> kMethods = {"rtn"};

std::string method_list() {
    std::string list;
    for (std::string_view method : kMethods) list += (list.empty() ? "" : ", ") + std::string(method);
    return list;
}

// The first ':' that stands outside parentheses, or npos.
std::size_t method_separator(std::string_view text) {
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '(') ++depth;
        if (text[i] == ')') --depth;
        if (text[i] == ':' && depth == 0) return i;
    }
    return std::string_view::npos;
}

std::string parse_method(std::string_view text, std::string_view treatment) {
    const std::string_view name = text.substr(0, text.find('('));
    const std::string where = "treatment \"" + std::string(treatment) + "\": ";
    if (std::find(kMethods.begin(), kMethods.end(), name) == kMethods.end())
        throw InvalidArgument(where + "unknown method \"" + std::string(name) + "\"; known are " +
                              method_list());
    if (name.size() != text.size())
        throw InvalidArgument(where + "method " + std::string(name) + " takes no options");
    return std::string(name);
}

}  // namespace

Treatment parse_treatment(std::string_view text) {
    const std::size_t separator = method_separator(text);
    Treatment treatment{.format = parse_number_format(text.substr(0, separator))};
    if (separator != std::string_view::npos)
        treatment.method = parse_method(text.substr(separator + 1), text);
    return treatment;
}

std::string to_string(const Treatment& treatment) {
    return to_string(treatment.format) + ":" + treatment.method;
}

}  // namespace assay
