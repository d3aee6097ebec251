#include "container/json.h"

#include <fmt/format.h>

#include <iterator>
#include <vector>

#include "base/error.h"
#include "container/printable.h"

namespace assay {
namespace {

// Tells a shared pointer how far the parser has read, since its events do not say where they are.
class CountingIterator {
  public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    CountingIterator(const char* at, const char** furthest) : at_(at), furthest_(furthest) {}
    const char& operator*() const { return *at_; }
    CountingIterator& operator++() {
        *furthest_ = ++at_;
        return *this;
    }
    bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
    bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

  private:
    const char* at_;
    const char** furthest_;
};

// Builds the document from the parser's events. The parser itself does not recurse, so depth costs no stack.
class DocumentBuilder final : public nlohmann::json_sax<Json> {
  public:
    DocumentBuilder(std::string_view text, std::string_view what)
        : what_(what), begin_(text.data()), read_(text.data()) {}

    CountingIterator iterator(const char* at) { return {at, &read_}; }
    Json take() { return std::move(root_); }

    bool null() override { return add(nullptr); }
    bool boolean(bool value) override { return add(value); }
    bool number_integer(std::int64_t value) override { return add(value); }
    bool number_unsigned(std::uint64_t value) override { return add(value); }
    bool number_float(double value, const std::string& /*token*/) override { return add(value); }
    bool string(std::string& value) override { return add(std::move(value)); }
    bool binary(Json::binary_t& /*value*/) override { return false; }  // never called for text
    bool start_object(std::size_t /*size*/) override { return open(Json::object()); }
    bool start_array(std::size_t /*size*/) override { return open(Json::array()); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }

    bool key(std::string& key) override {
        const auto [member, is_new] =
            open_.back()->get_ref<Json::object_t&>().emplace(std::move(key), nullptr);
        if (!is_new) fail(fmt::format("key \"{}\" appears twice in an object", printable(member->first)));
        member_ = &member->second;
        return true;
    }

    bool parse_error(std::size_t position, const std::string& /*token*/,
                     const nlohmann::detail::exception& error) override {
        std::string_view text = error.what();  // "[json.exception.…] parse error at line 1, column 2: …"
        if (const auto end = text.find("] "); end != text.npos) text.remove_prefix(end + 2);
        throw FormatError(fmt::format("{}: bad JSON: {}", what_, printable(text)),
                          position == 0 ? 0 : position - 1);
    }

  private:
    Json& place(Json value) {
        if (open_.empty()) return root_ = std::move(value);
        if (open_.back()->is_object()) return *member_ = std::move(value);
        return open_.back()->get_ref<Json::array_t&>().emplace_back(std::move(value));
    }

    bool add(Json value) {
        place(std::move(value));
        return true;
    }

    bool open(Json container) {
        if (open_.size() == kMaxJsonDepth) fail(fmt::format("nested deeper than {} levels", kMaxJsonDepth));
        open_.push_back(&place(std::move(container)));
        return true;
    }

    bool close() {
        open_.pop_back();
        return true;
    }

    [[noreturn]] void fail(const std::string& reason) const {
        throw FormatError(fmt::format("{}: bad JSON: {}", what_, reason),
                          static_cast<std::uint64_t>(read_ - begin_ - 1));
    }

    std::string_view what_;
    const char* begin_;
    const char* read_;  // one past the last character read
    Json root_;
    std::vector<Json*> open_;  // the containers around the current place, outermost first
    Json* member_ = nullptr;   // where the innermost object's next value goes
};

std::string describe(const Json& value) {
    if (value.is_structured()) return value.is_object() ? "an object" : "an array";
    return printable(value.dump());
}

[[noreturn]] void fail_type(const Json& value, std::string_view where, const std::string& expected) {
    throw FormatError(fmt::format("{} is {}, expected {}", where, describe(value), expected));
}

const Json& checked(const Json& value, bool holds, std::string_view where, const char* expected) {
    if (!holds) fail_type(value, where, expected);
    return value;
}

}  // namespace

Json parse_json(std::string_view text, std::string_view what) {
    // The parser takes a NUL for the end of the text, which would hide what follows.
    if (const auto nul = text.find('\0'); nul != text.npos) {
        throw FormatError(fmt::format("{}: bad JSON: NUL byte in the text", what), nul);
    }
    DocumentBuilder builder(text, what);
    Json::sax_parse(builder.iterator(text.data()), builder.iterator(text.data() + text.size()), &builder);
    return builder.take();
}

std::string json_path(std::string_view where, std::string_view key) {
    return fmt::format("{}: {}", where, printable(key));
}

std::string as_string(const Json& value, std::string_view where) {
    return checked(value, value.is_string(), where, "a string").get<std::string>();
}

std::int64_t as_int(const Json& value, std::string_view where, IntRange range) {
    const bool is_int = value.is_number_integer();
    const bool fits_i64 = is_int && (!value.is_number_unsigned() || value.get<std::uint64_t>() <= INT64_MAX);
    if (fits_i64) {
        const auto number = value.get<std::int64_t>();
        if (number >= range.least && number <= range.most) return number;
    }
    fail_type(value, where, fmt::format("an integer between {} and {}", range.least, range.most));
}

double as_number(const Json& value, std::string_view where) {
    return checked(value, value.is_number(), where, "a number").get<double>();
}

bool as_bool(const Json& value, std::string_view where) {
    return checked(value, value.is_boolean(), where, "true or false").get<bool>();
}

const Json* optional_member(const Json& object, std::string_view key, std::string_view where) {
    const auto member = checked(object, object.is_object(), where, "an object").find(key);
    return member == object.end() || member->is_null() ? nullptr : &*member;
}

const Json& require_member(const Json& object, std::string_view key, std::string_view where) {
    const Json* member = optional_member(object, key, where);
    if (member == nullptr) throw FormatError(fmt::format("{} is missing", json_path(where, key)));
    return *member;
}

const Json& require_object(const Json& object, std::string_view key, std::string_view where) {
    const Json& member = require_member(object, key, where);
    return checked(member, member.is_object(), json_path(where, key), "an object");
}

const Json& require_array(const Json& object, std::string_view key, std::string_view where) {
    const Json& member = require_member(object, key, where);
    return checked(member, member.is_array(), json_path(where, key), "an array");
}

std::string require_string(const Json& object, std::string_view key, std::string_view where) {
    return as_string(require_member(object, key, where), json_path(where, key));
}

std::int64_t require_int(const Json& object, std::string_view key, std::string_view where, IntRange range) {
    return as_int(require_member(object, key, where), json_path(where, key), range);
}

double require_number(const Json& object, std::string_view key, std::string_view where) {
    return as_number(require_member(object, key, where), json_path(where, key));
}

bool require_bool(const Json& object, std::string_view key, std::string_view where) {
    return as_bool(require_member(object, key, where), json_path(where, key));
}

const Json* optional_object(const Json& object, std::string_view key, std::string_view where) {
    return optional_member(object, key, where) != nullptr ? &require_object(object, key, where) : nullptr;
}

const Json* optional_array(const Json& object, std::string_view key, std::string_view where) {
    return optional_member(object, key, where) != nullptr ? &require_array(object, key, where) : nullptr;
}

std::optional<std::string> optional_string(const Json& object, std::string_view key, std::string_view where) {
    if (optional_member(object, key, where) == nullptr) return std::nullopt;
    return require_string(object, key, where);
}

std::optional<std::int64_t> optional_int(const Json& object, std::string_view key, std::string_view where,
                                         IntRange range) {
    if (optional_member(object, key, where) == nullptr) return std::nullopt;
    return require_int(object, key, where, range);
}

std::optional<double> optional_number(const Json& object, std::string_view key, std::string_view where) {
    if (optional_member(object, key, where) == nullptr) return std::nullopt;
    return require_number(object, key, where);
}

std::optional<bool> optional_bool(const Json& object, std::string_view key, std::string_view where) {
    if (optional_member(object, key, where) == nullptr) return std::nullopt;
    return require_bool(object, key, where);
}

}  // namespace assay
