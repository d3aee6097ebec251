#include "container/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <limits>
#include <string>

#include "base/error.h"
#include "container/safetensors_dtype.h"

namespace assay {
namespace {

using testing::HasSubstr;

std::string file_of(const std::string& header, std::size_t data_bytes) {
    const std::uint64_t length = header.size();
    std::string file(8, '\0');
    std::memcpy(file.data(), &length, 8);
    return file + header + std::string(data_bytes, '\x01');
}

SafetensorsFile parse(const std::string& file) {
    return {std::as_bytes(std::span(file.data(), file.size())), "f"};
}

// The error's text, empty where the bytes are accepted.
std::string rejection(const std::string& file) {
    try {
        parse(file);
    } catch (const FormatError& error) {
        return error.what();
    }
    return {};
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

TEST(Safetensors, ReadsTheFileOfTheFormatDescription) {
    const std::string file = file_of(R"({"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}  )", 4);
    ASSERT_EQ(file.size(), 68u);
    const SafetensorsFile parsed = parse(file);
    ASSERT_EQ(parsed.tensors().size(), 1u);
    const TensorView& a = parsed.tensors().at("a");
    EXPECT_EQ(a.dtype, DType::kF16);
    EXPECT_EQ(a.shape, Shape({2}));
    EXPECT_EQ(static_cast<const void*>(a.bytes.data()), file.data() + 64);
    EXPECT_EQ(a.bytes.size(), 4u);
    EXPECT_TRUE(parsed.metadata().empty());
}

TEST(Safetensors, AcceptsScalarsEmptyTensorsAndAnyOrder) {
    const SafetensorsFile parsed =
        parse(file_of("{\"b\":" + entry("F32", "[]", "[2,6]") + ",\"a\":" + entry("U8", "[2,1]", "[0,2]") +
                          ",\"e\":" + entry("F32", "[0,3]", "[6,6]") + R"(,"__metadata__":{"format":"pt"}})",
                      6));
    EXPECT_EQ(parsed.tensors().size(), 3u);
    EXPECT_EQ(parsed.tensors().at("b").bytes.size(), 4u);
    EXPECT_EQ(parsed.tensors().at("e").bytes.size(), 0u);
    EXPECT_EQ(parsed.metadata().at("format"), "pt");
}

TEST(Safetensors, AcceptsAFileWithoutTensors) {
    EXPECT_TRUE(parse(file_of("{}", 0)).tensors().empty());
}

TEST(Safetensors, ChecksTheSizeOfEveryDtype) {
    const char* spellings[] = {"F4",      "F6_E2M3", "F6_E3M2", "BOOL",        "U8",          "I8",
                               "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I16",
                               "U16",     "F16",     "BF16",    "I32",         "U32",         "F32",
                               "C64",     "F64",     "I64",     "U64"};
    const std::size_t bytes_of_8[] = {4,  6,  6,  8,  8,  8,  8,  8,  8,  8,  8,
                                      16, 16, 16, 16, 32, 32, 32, 64, 64, 64, 64};
    for (std::size_t i = 0; i < std::size(spellings); ++i) {
        const std::string end = std::to_string(bytes_of_8[i]);
        const std::string file =
            file_of("{\"t\":" + entry(spellings[i], "[8]", "[0," + end + "]") + "}", bytes_of_8[i]);
        EXPECT_EQ(rejection(file), "") << spellings[i];
        EXPECT_EQ(safetensors_dtype(parse(file).tensors().at("t").dtype), spellings[i]);
        const std::string less = std::to_string(bytes_of_8[i] - 1);
        EXPECT_NE(rejection(file_of("{\"t\":" + entry(spellings[i], "[8]", "[0," + less + "]") + "}",
                                    bytes_of_8[i] - 1)),
                  "")
            << spellings[i];
    }
}

TEST(Safetensors, RejectsAFileShorterThanTheLength) {
    EXPECT_THAT(rejection("\x02\0\0"), HasSubstr("truncated"));
}

TEST(Safetensors, RejectsAHeaderOverTheLimit) {
    std::string file = file_of("{}", 0);
    for (const std::uint64_t length :
         {std::uint64_t{100'000'001}, std::numeric_limits<std::uint64_t>::max()}) {
        std::memcpy(file.data(), &length, 8);
        EXPECT_THAT(rejection(file), HasSubstr("at most 100000000"));
    }
}

TEST(Safetensors, RejectsAHeaderBeyondTheFile) {
    std::string file = file_of("{}", 0);
    file[0] = 3;
    EXPECT_THAT(rejection(file), HasSubstr("truncated"));
}

TEST(Safetensors, RejectsAHeaderThatDoesNotBeginWithABrace) {
    EXPECT_THAT(rejection(file_of(" {}", 0)), HasSubstr("does not begin with '{'"));
    EXPECT_THAT(rejection(file_of("", 0)), HasSubstr("does not begin with '{'"));
}

TEST(Safetensors, RejectsInvalidUtf8) {
    EXPECT_THAT(rejection(file_of("{\"\xff\":1}", 0)), HasSubstr("bad JSON"));
}
TEST(Safetensors, RejectsInvalidJson) {
    EXPECT_THAT(rejection(file_of("{\"a\":", 0)), HasSubstr("bad JSON"));
}

TEST(Safetensors, RejectsTheSameNameTwice) {
    const std::string one = entry("U8", "[1]", "[0,1]");
    EXPECT_THAT(rejection(file_of("{\"a\":" + one + ",\"a\":" + one + "}", 1)), HasSubstr("appears twice"));
}

TEST(Safetensors, RejectsMetadataThatIsNotText) {
    EXPECT_THAT(rejection(file_of(R"({"__metadata__":{"format":1}})", 0)), HasSubstr("expected a string"));
    EXPECT_THAT(rejection(file_of(R"({"__metadata__":"pt"})", 0)), HasSubstr("expected an object"));
}

TEST(Safetensors, RejectsAnEntryThatIsNoObject) {
    EXPECT_THAT(rejection(file_of(R"({"a":3})", 0)), HasSubstr("expected an object"));
}

TEST(Safetensors, RejectsMissingFields) {
    EXPECT_THAT(rejection(file_of(R"({"a":{"shape":[1],"data_offsets":[0,1]}})", 1)),
                HasSubstr("f: a: dtype is missing"));
    EXPECT_THAT(rejection(file_of(R"({"a":{"dtype":"U8","data_offsets":[0,1]}})", 1)),
                HasSubstr("f: a: shape is missing"));
    EXPECT_THAT(rejection(file_of(R"({"a":{"dtype":"U8","shape":[1]}})", 1)),
                HasSubstr("f: a: data_offsets is missing"));
}

TEST(Safetensors, RejectsAnUnknownDtype) {
    EXPECT_THAT(rejection(file_of("{\"a\":" + entry("F128", "[1]", "[0,16]") + "}", 16)),
                HasSubstr("unknown dtype \"F128\""));
    EXPECT_THAT(rejection(file_of("{\"a\":" + entry("f32", "[1]", "[0,4]") + "}", 4)),
                HasSubstr("unknown dtype"));
}

TEST(Safetensors, RejectsDimensionsThatAreNotCounts) {
    for (const char* shape : {"[-1]", "[1.5]", "[\"1\"]", "[18446744073709551615]", "1", "[null]"}) {
        EXPECT_THAT(rejection(file_of("{\"a\":" + entry("U8", shape, "[0,1]") + "}", 1)),
                    HasSubstr("expected an"))
            << shape;
    }
}

TEST(Safetensors, RejectsAShapeThatOverflows) {
    for (const char* shape :
         {"[4294967296,4294967296]", "[4611686018427387904,2,0]", "[4611686018427387904]"}) {
        EXPECT_THAT(rejection(file_of("{\"a\":" + entry("F32", shape, "[0,0]") + "}", 0)),
                    HasSubstr("overflows"))
            << shape;
    }
}

TEST(Safetensors, RejectsPackedElementsThatShareTheLastByte) {
    EXPECT_THAT(rejection(file_of("{\"a\":" + entry("F4", "[3]", "[0,2]") + "}", 2)),
                HasSubstr("no whole number of bytes"));
}

TEST(Safetensors, RejectsOffsetsThatAreNotAPair) {
    for (const char* offsets : {"[0]", "[0,1,1]", "[-1,0]", "[0,\"1\"]", "{}", "[0,1.0]"}) {
        EXPECT_NE(rejection(file_of("{\"a\":" + entry("U8", "[1]", offsets) + "}", 1)), "") << offsets;
    }
}

TEST(Safetensors, RejectsAnEndBeforeItsBegin) {
    EXPECT_THAT(rejection(file_of("{\"a\":" + entry("U8", "[1]", "[2,1]") + "}", 2)),
                HasSubstr("end 1 is before begin 2"));
}

TEST(Safetensors, RejectsOffsetsThatDoNotMatchTheShape) {
    EXPECT_THAT(rejection(file_of("{\"a\":" + entry("F32", "[2]", "[0,4]") + "}", 4)),
                HasSubstr("span 4 bytes"));
}

TEST(Safetensors, RejectsAFirstTensorThatDoesNotBeginAtZero) {
    EXPECT_THAT(rejection(file_of("{\"a\":" + entry("U8", "[1]", "[1,2]") + "}", 2)), HasSubstr("hole"));
}

TEST(Safetensors, RejectsAHole) {
    const std::string header =
        "{\"a\":" + entry("U8", "[1]", "[0,1]") + ",\"b\":" + entry("U8", "[1]", "[2,3]") + "}";
    EXPECT_THAT(rejection(file_of(header, 3)),
                HasSubstr("tensor b begins at data offset 2, expected 1 (hole)"));
}

TEST(Safetensors, RejectsAnOverlap) {
    const std::string header =
        "{\"a\":" + entry("U8", "[2]", "[0,2]") + ",\"b\":" + entry("U8", "[2]", "[1,3]") + "}";
    EXPECT_THAT(rejection(file_of(header, 3)), HasSubstr("(overlap)"));
}

TEST(Safetensors, RejectsATensorBeyondTheFile) {
    EXPECT_THAT(rejection(file_of("{\"a\":" + entry("U8", "[4]", "[0,4]") + "}", 3)), HasSubstr("cut short"));
}

TEST(Safetensors, RejectsTrailingBytes) {
    EXPECT_THAT(rejection(file_of("{\"a\":" + entry("U8", "[4]", "[0,4]") + "}", 5)),
                HasSubstr("need 4 bytes of data, the file has 5"));
}

}  // namespace
}  // namespace assay
