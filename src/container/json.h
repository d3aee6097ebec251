// JSON from outside: strict parsing, and access to members with errors that name the file and the key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace assay {

using Json = nlohmann::json;

inline constexpr std::size_t kMaxJsonDepth = 64;

// Parses one JSON document of UTF-8 text; `what` names it in errors.
// Throws FormatError with the offset for bad syntax, invalid UTF-8, numbers beyond a double, the same key
// twice in an object, nesting deeper than kMaxJsonDepth, and text after the document.
Json parse_json(std::string_view text, std::string_view what);

// Inclusive bounds of an integer.
struct IntRange {
    std::int64_t least = std::numeric_limits<std::int64_t>::min();
    std::int64_t most = std::numeric_limits<std::int64_t>::max();
};

// "where: key", the path by which errors name a member; it serves as the `where` of that member's own
// members.
std::string json_path(std::string_view where, std::string_view key);

// A value as a C++ type; `where` names the value itself. All throw FormatError for a value of another type;
// as_int also for one outside the range and for numbers written with fraction or exponent.
std::string as_string(const Json& value, std::string_view where);
std::int64_t as_int(const Json& value, std::string_view where, IntRange range = {});
double as_number(const Json& value, std::string_view where);
bool as_bool(const Json& value, std::string_view where);

// A member of `object`, which `where` names. All throw FormatError where `object` is not an object or the
// member is missing or of another type.
const Json& require_member(const Json& object, std::string_view key, std::string_view where);
const Json& require_object(const Json& object, std::string_view key, std::string_view where);
const Json& require_array(const Json& object, std::string_view key, std::string_view where);
std::string require_string(const Json& object, std::string_view key, std::string_view where);
std::int64_t require_int(const Json& object, std::string_view key, std::string_view where,
                         IntRange range = {});
double require_number(const Json& object, std::string_view key, std::string_view where);
bool require_bool(const Json& object, std::string_view key, std::string_view where);

// The same where the member may be absent or null: then a null pointer or nothing, so that defaults read
// optional_int(...).value_or(32).
const Json* optional_member(const Json& object, std::string_view key, std::string_view where);
const Json* optional_object(const Json& object, std::string_view key, std::string_view where);
const Json* optional_array(const Json& object, std::string_view key, std::string_view where);
std::optional<std::string> optional_string(const Json& object, std::string_view key, std::string_view where);
std::optional<std::int64_t> optional_int(const Json& object, std::string_view key, std::string_view where,
                                         IntRange range = {});
std::optional<double> optional_number(const Json& object, std::string_view key, std::string_view where);
std::optional<bool> optional_bool(const Json& object, std::string_view key, std::string_view where);

}  // namespace assay
