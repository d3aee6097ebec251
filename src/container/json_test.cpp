#include "container/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "base/error.h"

namespace assay {
namespace {

using testing::HasSubstr;

// The error's text; fails where `run` throws nothing.
std::string error_of(const std::function<void()>& run) {
    try {
        run();
    } catch (const FormatError& error) {
        return error.what();
    }
    ADD_FAILURE() << "no exception";
    return {};
}

std::string nested(std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
}

TEST(Json, ParsesADocumentOfEveryKind) {
    const std::string text = R"( {"a": [1, -2, 3.5, true, null, {}, []], "b": {"c": "\u00e9\n"}} )";
    EXPECT_EQ(parse_json(text, "f"), Json::parse(text));
    EXPECT_EQ(parse_json("7", "f"), Json(7));
    EXPECT_EQ(parse_json(nested(kMaxJsonDepth), "f"), Json::parse(nested(kMaxJsonDepth)));
}

TEST(Json, RejectsBadSyntaxWithFileAndOffset) {
    try {
        parse_json(R"({"a": 1,, "b": 2})", "config.json");
        FAIL() << "no exception";
    } catch (const FormatError& error) {
        EXPECT_EQ(error.offset(), 8u);
        EXPECT_THAT(error.what(), HasSubstr("config.json: bad JSON"));
    }
}

TEST(Json, RejectsAnEmptyText) {
    EXPECT_THROW(parse_json("", "f"), FormatError);
}
TEST(Json, RejectsATruncatedDocument) {
    EXPECT_THROW(parse_json(R"({"a": [1, 2)", "f"), FormatError);
}
TEST(Json, RejectsTextAfterTheDocument) {
    EXPECT_THROW(parse_json("{} {}", "f"), FormatError);
}
TEST(Json, RejectsInvalidUtf8) {
    EXPECT_THROW(parse_json("\"\xc3\x28\"", "f"), FormatError);
}
TEST(Json, RejectsALoneSurrogate) {
    EXPECT_THROW(parse_json(R"("\ud800")", "f"), FormatError);
}
TEST(Json, RejectsNonFiniteLiterals) {
    EXPECT_THROW(parse_json("[NaN, Infinity]", "f"), FormatError);
}
TEST(Json, RejectsNumbersBeyondADouble) {
    EXPECT_THROW(parse_json("1e999", "f"), FormatError);
}

TEST(Json, RejectsANulByteInsteadOfStoppingThere) {
    EXPECT_THAT(error_of([] { parse_json(std::string_view("{}\0 x", 5), "f"); }),
                HasSubstr("NUL byte in the text (at byte 2)"));
}

TEST(Json, RejectsTheSameKeyTwice) {
    EXPECT_THAT(error_of([] { parse_json(R"({"a": 1, "b": {"a": 2}, "a": 3})", "f"); }),
                HasSubstr("key \"a\" appears twice in an object (at byte 26)"));
}

TEST(Json, RejectsNestingThatIsTooDeep) {
    EXPECT_THAT(error_of([] { parse_json(nested(kMaxJsonDepth + 1), "f"); }),
                HasSubstr("nested deeper than 64 levels"));
    EXPECT_THROW(parse_json(std::string(10'000'000, '['), "f"), FormatError);
}

TEST(Json, ErrorTextsStayShortWhateverTheFileHolds) {
    EXPECT_LT(error_of([] { parse_json('"' + std::string(1'000'000, 'x'), "f"); }).size(), 400u);
    const std::string key = '"' + std::string(1'000'000, 'k') + "\":1";
    EXPECT_LT(error_of([&] { parse_json("{" + key + "," + key + "}", "f"); }).size(), 400u);
}

class JsonAccess : public testing::Test {
  protected:
    const Json object_ =
        Json::parse(R"({"s": "text", "i": 5, "n": -3, "x": 2.5, "t": true, "null": null, "o": {"k": 1},
                                         "a": [1], "big": 18446744073709551615, "exp": 1e3})");
};

TEST_F(JsonAccess, ReadsMembersOfEachType) {
    EXPECT_EQ(require_string(object_, "s", "f"), "text");
    EXPECT_EQ(require_int(object_, "i", "f"), 5);
    EXPECT_EQ(require_int(object_, "n", "f"), -3);
    EXPECT_EQ(require_number(object_, "x", "f"), 2.5);
    EXPECT_EQ(require_number(object_, "i", "f"), 5.0);
    EXPECT_TRUE(require_bool(object_, "t", "f"));
    EXPECT_EQ(require_object(object_, "o", "f"), Json({{"k", 1}}));
    EXPECT_EQ(require_array(object_, "a", "f"), Json::array({1}));
}

TEST_F(JsonAccess, OptionalMembersMayBeAbsentOrNull) {
    for (const char* key : {"absent", "null"}) {
        EXPECT_EQ(optional_int(object_, key, "f").value_or(9), 9);
        EXPECT_FALSE(optional_string(object_, key, "f"));
        EXPECT_FALSE(optional_number(object_, key, "f"));
        EXPECT_FALSE(optional_bool(object_, key, "f"));
        EXPECT_EQ(optional_object(object_, key, "f"), nullptr);
        EXPECT_EQ(optional_array(object_, key, "f"), nullptr);
    }
    EXPECT_EQ(optional_int(object_, "i", "f"), 5);
    EXPECT_EQ(optional_string(object_, "s", "f"), "text");
    EXPECT_EQ(optional_bool(object_, "t", "f"), true);
    EXPECT_EQ(*optional_object(object_, "o", "f"), Json({{"k", 1}}));
}

TEST_F(JsonAccess, MissingMembersAreNamed) {
    EXPECT_EQ(error_of([&] { require_int(object_, "hidden_size", "config.json"); }),
              "config.json: hidden_size is missing");
    EXPECT_EQ(error_of([&] { require_int(object_, "null", "config.json"); }), "config.json: null is missing");
}

TEST_F(JsonAccess, WrongTypesAreNamedWithPathAndValue) {
    const Json& inner = require_object(object_, "o", "config.json");
    EXPECT_EQ(error_of([&] { require_string(inner, "k", json_path("config.json", "o")); }),
              "config.json: o: k is 1, expected a string");
    EXPECT_EQ(error_of([&] { require_number(object_, "s", "f"); }), "f: s is \"text\", expected a number");
    EXPECT_EQ(error_of([&] { require_bool(object_, "a", "f"); }), "f: a is an array, expected true or false");
    EXPECT_EQ(error_of([&] { require_object(object_, "a", "f"); }), "f: a is an array, expected an object");
    EXPECT_EQ(error_of([&] { require_array(object_, "o", "f"); }), "f: o is an object, expected an array");
    EXPECT_THROW(optional_int(object_, "s", "f"), FormatError);
    EXPECT_THROW(optional_array(object_, "s", "f"), FormatError);
}

TEST_F(JsonAccess, IntegersMustBeWholeAndInRange) {
    EXPECT_EQ(error_of([&] { require_int(object_, "i", "f", {.least = 6, .most = 10}); }),
              "f: i is 5, expected an integer between 6 and 10");
    EXPECT_THROW(require_int(object_, "i", "f", {.most = 4}), FormatError);
    EXPECT_THROW(require_int(object_, "x", "f"), FormatError);
    EXPECT_THROW(require_int(object_, "exp", "f"), FormatError);
    EXPECT_THROW(require_int(object_, "big", "f"), FormatError);
    EXPECT_THROW(require_int(object_, "t", "f"), FormatError);
}

TEST_F(JsonAccess, WhatIsNoObjectHasNoMembers) {
    EXPECT_EQ(error_of([] { optional_int(Json::array(), "k", "f"); }), "f is an array, expected an object");
}

}  // namespace
}  // namespace assay
