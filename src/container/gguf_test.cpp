#include "container/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Little-endian bytes, put together by hand so that broken files can be written too.
class Bytes {
  public:
    template <class T>
    Bytes& put(T value) {
        text_.append(reinterpret_cast<const char*>(&value), sizeof(value));
        return *this;
    }
    Bytes& u32(std::uint32_t value) { return put(value); }
    Bytes& u64(std::uint64_t value) { return put(value); }
    Bytes& type(GgufType value) { return put(value); }
    Bytes& text(std::string_view value) {
        u64(value.size());
        text_ += value;
        return *this;
    }
    Bytes& raw(std::string_view value) {
        text_ += value;
        return *this;
    }
    Bytes& zeros(std::size_t count) {
        text_.append(count, '\0');
        return *this;
    }
    Bytes& pad() { return zeros((32 - text_.size() % 32) % 32); }
    const std::string& str() const { return text_; }

  private:
    std::string text_;
};

struct Info {
    std::string name = "t";
    std::vector<std::uint64_t> ne{4};
    std::uint32_t type = 0;
    std::uint64_t offset = 0;
};

// A file of the given metadata bytes and tensors, followed by `data_bytes` of data.
std::string file_of(const std::string& metadata, std::uint64_t keys, const std::vector<Info>& tensors = {},
                    std::size_t data_bytes = 0) {
    Bytes file;
    file.raw("GGUF").u32(3).u64(tensors.size()).u64(keys).raw(metadata);
    for (const Info& info : tensors) {
        file.text(info.name).u32(static_cast<std::uint32_t>(info.ne.size()));
        for (std::uint64_t n : info.ne) file.u64(n);
        file.u32(info.type).u64(info.offset);
    }
    return file.pad().zeros(data_bytes).str();
}

std::string tensor_file(const std::vector<Info>& tensors, std::size_t data_bytes) {
    return file_of("", 0, tensors, data_bytes);
}

GgufFile parse(const std::string& file) {
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

TEST(Gguf, ReadsTheKeyOfTheFormatDescription) {
    const std::string metadata =
        std::string("\x11\0\0\0\0\0\0\0", 8) + "general.alignment" + std::string("\4\0\0\0\x20\0\0\0", 8);
    EXPECT_EQ(parse(file_of(metadata, 1)).find_uint("general.alignment"), 32u);
}

TEST(Gguf, ReadsVersion2) {
    std::string file = file_of("", 0);
    file[4] = 2;
    EXPECT_EQ(parse(file).version(), 2u);
}

TEST(Gguf, TensorsHaveTorchShapesAndTheirBytes) {
    const std::string file =
        tensor_file({{"a", {32, 3}, 2, 0}, {"b", {}, 0, 64}, {"c", {2, 3, 4, 5}, 24, 96}}, 96 + 120);
    const GgufFile parsed = parse(file);
    ASSERT_EQ(parsed.tensors().size(), 3u);
    const GgufTensor& a = parsed.tensors().at("a");
    EXPECT_EQ(a.shape, Shape({3, 32}));
    EXPECT_EQ(a.type, GgmlType::kQ4_0);
    EXPECT_EQ(a.bytes.size(), 54u);
    EXPECT_EQ(parsed.tensors().at("b").shape, Shape{});
    EXPECT_EQ(parsed.tensors().at("b").bytes.size(), 4u);
    const GgufTensor& c = parsed.tensors().at("c");
    EXPECT_EQ(c.shape, Shape({5, 4, 3, 2}));
    EXPECT_EQ(static_cast<const void*>(c.bytes.data() + c.bytes.size()), file.data() + file.size());
}

TEST(Gguf, HonoursTheAlignmentKey) {
    Bytes file;
    file.raw("GGUF").u32(3).u64(2).u64(1).text("general.alignment").type(GgufType::kU32).u32(8);
    file.text("a").u32(1).u64(3).u32(24).u64(0).text("b").u32(1).u64(1).u32(24).u64(8);
    file.zeros((8 - file.str().size() % 8) % 8).raw("abc").zeros(5).raw("d");
    const GgufFile parsed = parse(file.str());
    EXPECT_EQ(parsed.tensors().at("a").bytes[2], std::byte{'c'});
    EXPECT_EQ(parsed.tensors().at("b").bytes[0], std::byte{'d'});
}

class GgufValues : public testing::Test {
  protected:
    GgufValues() {
        Bytes m;
        m.text("u8").type(GgufType::kU8).put(std::uint8_t{200});
        m.text("i8").type(GgufType::kI8).put(std::int8_t{-100});
        m.text("u16").type(GgufType::kU16).put(std::uint16_t{60000});
        m.text("i16").type(GgufType::kI16).put(std::int16_t{-30000});
        m.text("u32").type(GgufType::kU32).u32(4000000000u);
        m.text("i32").type(GgufType::kI32).put(std::int32_t{-5});
        m.text("u64").type(GgufType::kU64).u64(~std::uint64_t{0});
        m.text("i64").type(GgufType::kI64).put(std::int64_t{-6});
        m.text("f32").type(GgufType::kF32).put(1.5f);
        m.text("f64").type(GgufType::kF64).put(0.1);
        m.text("bool").type(GgufType::kBool).put(std::uint8_t{1});
        m.text("string").type(GgufType::kString).text("hello");
        m.text("strings").type(GgufType::kArray).type(GgufType::kString).u64(3).text("a").text("").text("bc");
        m.text("i32s")
            .type(GgufType::kArray)
            .type(GgufType::kI32)
            .u64(2)
            .put(std::int32_t{-1})
            .put(std::int32_t{7});
        m.text("f32s").type(GgufType::kArray).type(GgufType::kF32).u64(2).put(0.5f).put(-2.0f);
        m.text("empty").type(GgufType::kArray).type(GgufType::kF32).u64(0);
        bytes_ = file_of(m.str(), 16);
    }
    std::string bytes_;
};

TEST_F(GgufValues, IntegersWiden) {
    const GgufFile file = parse(bytes_);
    EXPECT_EQ(file.find_int("u8"), 200);
    EXPECT_EQ(file.find_int("i8"), -100);
    EXPECT_EQ(file.find_int("u16"), 60000);
    EXPECT_EQ(file.find_int("i16"), -30000);
    EXPECT_EQ(file.find_int("u32"), 4000000000);
    EXPECT_EQ(file.find_int("i32"), -5);
    EXPECT_EQ(file.find_int("i64"), -6);
    EXPECT_EQ(file.find_uint("u8"), 200u);
    EXPECT_EQ(file.find_uint("u64"), ~std::uint64_t{0});
    EXPECT_THROW(file.find_int("u64"), FormatError);
    EXPECT_THROW(file.find_uint("i32"), FormatError);
}

TEST_F(GgufValues, OtherTypesReadAsWhatTheyAre) {
    const GgufFile file = parse(bytes_);
    EXPECT_EQ(file.find_float("f32"), 1.5);
    EXPECT_EQ(file.find_float("f64"), 0.1);
    EXPECT_EQ(file.find_bool("bool"), true);
    EXPECT_EQ(file.find_string("string"), "hello");
    EXPECT_THAT(*file.find_strings("strings"), ElementsAre("a", "", "bc"));
    EXPECT_THAT(*file.find_ints("i32s"), ElementsAre(-1, 7));
    EXPECT_THAT(*file.find_floats("f32s"), ElementsAre(0.5f, -2.0f));
    EXPECT_TRUE(file.find_floats("empty")->empty());
    EXPECT_EQ(file.keys().size(), 16u);
    EXPECT_TRUE(file.contains("f64"));
}

TEST_F(GgufValues, AbsentKeysAreNothingOrAnErrorWhereRequired) {
    const GgufFile file = parse(bytes_);
    EXPECT_FALSE(file.find_string("none"));
    EXPECT_FALSE(file.find_bool("none"));
    EXPECT_FALSE(file.find_int("none"));
    EXPECT_FALSE(file.find_uint("none"));
    EXPECT_FALSE(file.find_float("none"));
    EXPECT_FALSE(file.find_strings("none"));
    EXPECT_FALSE(file.find_ints("none"));
    EXPECT_FALSE(file.find_floats("none"));
    EXPECT_THROW(file.require_string("none"), FormatError);
    EXPECT_THROW(file.require_uint("none"), FormatError);
    EXPECT_THROW(file.require_float("none"), FormatError);
    EXPECT_THROW(file.require_strings("none"), FormatError);
    EXPECT_EQ(file.require_uint("u16"), 60000u);
    EXPECT_EQ(file.require_string("string"), "hello");
}

TEST_F(GgufValues, WrongTypesAreErrorsThatNameTheKey) {
    const GgufFile file = parse(bytes_);
    try {
        file.find_string("f32s");
        FAIL() << "no exception";
    } catch (const FormatError& error) {
        EXPECT_STREQ(error.what(), "f: f32s is of type array of f32, expected string");
    }
    EXPECT_THROW(file.find_bool("u8"), FormatError);
    EXPECT_THROW(file.find_int("f32"), FormatError);
    EXPECT_THROW(file.find_int("i32s"), FormatError);
    EXPECT_THROW(file.find_uint("string"), FormatError);
    EXPECT_THROW(file.find_float("u8"), FormatError);
    EXPECT_THROW(file.find_strings("string"), FormatError);
    EXPECT_THROW(file.find_strings("i32s"), FormatError);
    EXPECT_THROW(file.find_ints("f32s"), FormatError);
    EXPECT_THROW(file.find_ints("i32"), FormatError);
    EXPECT_THROW(file.find_floats("i32s"), FormatError);
}

TEST(Gguf, RejectsOtherMagic) {
    EXPECT_THAT(rejection("GGML" + std::string(28, '\0')), HasSubstr("does not begin with \"GGUF\""));
    EXPECT_THAT(rejection("GG"), HasSubstr("does not begin with \"GGUF\""));
}

TEST(Gguf, RejectsVersion1AndUnknownOnes) {
    for (char version : {'\0', '\1', '\4'}) {
        std::string file = file_of("", 0);
        file[4] = version;
        EXPECT_THAT(rejection(file), HasSubstr("supported are 2 and 3"));
    }
}

TEST(Gguf, RejectsForeignEndiannessByName) {
    Bytes file;
    file.raw("GGUF").u32(0x03000000).zeros(16);
    EXPECT_THAT(rejection(file.str()), HasSubstr("big-endian"));
}

TEST(Gguf, RejectsATruncatedHeader) {
    EXPECT_THAT(rejection(file_of("", 0).substr(0, 20)), HasSubstr("truncated"));
}

TEST(Gguf, RejectsCountsThatTheFileCannotHold) {
    Bytes keys, tensors;
    EXPECT_THAT(rejection(keys.raw("GGUF").u32(3).u64(0).u64(~std::uint64_t{0}).str()),
                HasSubstr("truncated"));
    EXPECT_THAT(rejection(tensors.raw("GGUF").u32(3).u64(~std::uint64_t{0}).u64(0).str()),
                HasSubstr("truncated"));
}

TEST(Gguf, RejectsAnEmptyKey) {
    EXPECT_THAT(rejection(file_of(Bytes().text("").type(GgufType::kU8).put('\1').str(), 1)),
                HasSubstr("empty metadata key"));
}

TEST(Gguf, RejectsTheSameKeyTwice) {
    const std::string one = Bytes().text("k").type(GgufType::kU8).put('\1').str();
    EXPECT_THAT(rejection(file_of(one + one, 2)), HasSubstr("metadata key k appears twice"));
}

TEST(Gguf, RejectsAnUnknownValueType) {
    EXPECT_THAT(rejection(file_of(Bytes().text("k").u32(13).u64(0).str(), 1)),
                HasSubstr("f: k: unknown value type 13"));
    EXPECT_THAT(rejection(file_of(Bytes().text("k").type(GgufType::kArray).u32(99).u64(0).str(), 1)),
                HasSubstr("unknown value type 99"));
}

TEST(Gguf, RejectsNestedArrays) {
    const std::string metadata = Bytes().text("k").type(GgufType::kArray).type(GgufType::kArray).u64(0).str();
    EXPECT_THAT(rejection(file_of(metadata, 1)), HasSubstr("an array of arrays is not allowed"));
}

TEST(Gguf, RejectsABoolThatIsNeitherTrueNorFalse) {
    EXPECT_THAT(rejection(file_of(Bytes().text("k").type(GgufType::kBool).put('\2').str(), 1)),
                HasSubstr("bool byte 2"));
    const std::string array =
        Bytes().text("k").type(GgufType::kArray).type(GgufType::kBool).u64(2).raw("\1\3").str();
    EXPECT_THAT(rejection(file_of(array, 1)), HasSubstr("bool byte 3"));
}

TEST(Gguf, RejectsAStringOverTheLimitAndOneBeyondTheFile) {
    for (const std::uint64_t length : {(std::uint64_t{1} << 30) + 1, ~std::uint64_t{0}}) {
        EXPECT_THAT(rejection(file_of(Bytes().text("k").type(GgufType::kString).u64(length).str(), 1)),
                    HasSubstr("at most 1073741824"));
    }
    EXPECT_THAT(rejection(file_of(Bytes().text("k").type(GgufType::kString).u64(1000).str(), 1)),
                HasSubstr("truncated"));
}

TEST(Gguf, RejectsArraysOfHugeCountsInTinyFilesBeforeAllocating) {
    for (GgufType type : {GgufType::kString, GgufType::kU8, GgufType::kF64}) {
        const auto array = [&](std::uint64_t count) {
            return Bytes().text("k").type(GgufType::kArray).type(type).u64(count).zeros(900).str();
        };
        EXPECT_THAT(rejection(file_of(array(std::uint64_t{1} << 30), 1)), HasSubstr("truncated"));
        EXPECT_THAT(rejection(file_of(array((std::uint64_t{1} << 30) + 1), 1)),
                    HasSubstr("at most 1073741824"));
    }
}

TEST(Gguf, RejectsAnAlignmentThatIsNoPowerOfTwo) {
    for (std::uint32_t alignment : {0u, 24u}) {
        const std::string metadata =
            Bytes().text("general.alignment").type(GgufType::kU32).u32(alignment).str();
        EXPECT_THAT(rejection(file_of(metadata, 1)), HasSubstr("expected a power of two")) << alignment;
    }
}

TEST(Gguf, RejectsAnAlignmentOfAnotherType) {
    const std::string metadata = Bytes().text("general.alignment").type(GgufType::kU64).u64(32).str();
    EXPECT_THAT(rejection(file_of(metadata, 1)), HasSubstr("general.alignment is of type u64, expected u32"));
}

TEST(Gguf, RefusesSplitModelsWithAdvice) {
    const std::string metadata = Bytes().text("split.count").type(GgufType::kU16).put(std::uint16_t{3}).str();
    const std::string file = file_of(metadata, 1);
    EXPECT_THROW(parse(file), Unsupported);
    EXPECT_THAT(rejection(file), HasSubstr("split into 3 files; join them"));
    EXPECT_EQ(
        rejection(file_of(Bytes().text("split.count").type(GgufType::kU16).put(std::uint16_t{1}).str(), 1)),
        "");
}

TEST(Gguf, RejectsTensorNamesThatAreTooLong) {
    EXPECT_EQ(rejection(tensor_file({{.name = std::string(63, 'n')}}, 32)), "");
    EXPECT_THAT(rejection(tensor_file({{.name = std::string(64, 'n')}}, 32)), HasSubstr("name of 64 bytes"));
}

TEST(Gguf, RejectsTheSameTensorTwice) {
    EXPECT_THAT(rejection(tensor_file({{}, {.offset = 32}}, 64)), HasSubstr("tensor t appears twice"));
}

TEST(Gguf, RejectsMoreThanFourDimensions) {
    EXPECT_THAT(rejection(tensor_file({{.ne = {1, 1, 1, 1, 1}}}, 32)), HasSubstr("5 dimensions"));
}

TEST(Gguf, RejectsAnUnknownTensorTypeByItsId) {
    const std::string file = tensor_file({{.type = 31}}, 32);
    EXPECT_THROW(parse(file), Unsupported);
    EXPECT_THAT(rejection(file), HasSubstr("ggml type id 31"));
}

TEST(Gguf, RejectsRowsThatAreNotWholeBlocks) {
    EXPECT_THAT(rejection(tensor_file({{.ne = {48, 2}, .type = 2}}, 64)),
                HasSubstr("not whole Q4_0 blocks of 32"));
    EXPECT_THAT(rejection(tensor_file({{.ne = {}, .type = 2}}, 64)),
                HasSubstr("not whole Q4_0 blocks of 32"));
}

TEST(Gguf, RejectsShapesThatOverflow) {
    constexpr std::uint64_t kBig = std::uint64_t{1} << 32;
    EXPECT_THAT(rejection(tensor_file({{.ne = {kBig, kBig}}}, 32)), HasSubstr("overflows"));
    EXPECT_THAT(rejection(tensor_file({{.ne = {kBig, 0, kBig}}}, 32)), HasSubstr("overflows"));
    EXPECT_THAT(rejection(tensor_file({{.ne = {std::uint64_t{1} << 62}}}, 32)), HasSubstr("overflows"));
    EXPECT_THAT(rejection(tensor_file({{.ne = {~std::uint64_t{0}}}}, 32)), HasSubstr("overflows"));
}

TEST(Gguf, RejectsOffsetsOtherThanTheRunningSum) {
    EXPECT_EQ(rejection(tensor_file({{.name = "a"}, {.name = "b", .offset = 32}}, 48)), "");
    EXPECT_THAT(rejection(tensor_file({{.name = "a", .offset = 32}}, 96)),
                HasSubstr("begins at data offset 32, expected 0"));
    EXPECT_THAT(rejection(tensor_file({{.name = "a"}, {.name = "b", .offset = 16}}, 96)),
                HasSubstr("offset 16, expected 32"));
    EXPECT_THAT(rejection(tensor_file({{.name = "a"}, {.name = "b", .offset = 64}}, 96)),
                HasSubstr("offset 64, expected 32"));
}

TEST(Gguf, RejectsTensorsBeyondTheFile) {
    EXPECT_EQ(rejection(tensor_file({{}}, 16)), "");
    EXPECT_THAT(rejection(tensor_file({{}}, 15)), HasSubstr("cut short"));
    EXPECT_THAT(rejection(tensor_file({{.ne = {std::uint64_t{1} << 40}}}, 64)), HasSubstr("cut short"));
}

}  // namespace
}  // namespace assay
