#include "container/gguf_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "container/gguf.h"
#include "container/temporary_folder.h"

namespace assay {
namespace {

using testing::ElementsAre;

class GgufWriterTest : public TemporaryFolder {};

TEST_F(GgufWriterTest, WhatIsWrittenReadsBack) {
    GgufHeader header;
    header.set_string("general.architecture", "llama");
    header.set_bool("b", true);
    header.set_u32("u", 4000000000u);
    header.set_u64("u64", ~std::uint64_t{0});
    header.set_i32("i", -7);
    header.set_f32("f", 1e-5f);
    header.set_strings("tokens", std::vector<std::string>{"a", "", "\xc4\xa0"});
    header.set_i32s("types", std::vector<std::int32_t>{1, -1});
    header.set_f32s("scores", std::vector<float>{0.5f});
    header.add_tensor("w", GgmlType::kQ8_0, {3, 64});
    header.add_tensor("n", GgmlType::kF32, {5});
    std::vector<std::byte> w(3 * 2 * 34), n(20, std::byte{9});
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<std::byte>(i);
    GgufWriter writer(folder_ / "m.gguf", header);
    writer.write("w", std::span(w).first(100));
    writer.write("w", std::span(w).subspan(100));
    writer.write("n", n);
    writer.commit();

    const GgufFile file = GgufFile::open(folder_ / "m.gguf");
    EXPECT_EQ(file.version(), 3u);
    EXPECT_EQ(file.find_string("general.architecture"), "llama");
    EXPECT_EQ(file.find_bool("b"), true);
    EXPECT_EQ(file.find_uint("u"), 4000000000u);
    EXPECT_EQ(file.find_uint("u64"), ~std::uint64_t{0});
    EXPECT_EQ(file.find_int("i"), -7);
    EXPECT_EQ(file.find_float("f"), 1e-5f);
    EXPECT_THAT(*file.find_strings("tokens"), ElementsAre("a", "", "\xc4\xa0"));
    EXPECT_THAT(*file.find_ints("types"), ElementsAre(1, -1));
    EXPECT_THAT(*file.find_floats("scores"), ElementsAre(0.5f));
    const GgufTensor& stored = file.tensors().at("w");
    EXPECT_EQ(stored.shape, Shape({3, 64}));
    EXPECT_EQ(std::vector(stored.bytes.begin(), stored.bytes.end()), w);
    EXPECT_EQ(file.tensors().at("n").bytes[19], std::byte{9});
}

TEST_F(GgufWriterTest, RefusesBadDeclarations) {
    GgufHeader header;
    header.set_u32("k", 1);
    EXPECT_THROW(header.set_bool("k", true), InvalidArgument);
    EXPECT_THROW(header.set_bool("", true), InvalidArgument);
    EXPECT_THROW(header.set_u32("general.alignment", 64), InvalidArgument);
    header.add_tensor("t", GgmlType::kF32, {1});
    EXPECT_THROW(header.add_tensor("t", GgmlType::kF32, {1}), InvalidArgument);
    EXPECT_THROW(header.add_tensor("", GgmlType::kF32, {1}), InvalidArgument);
    EXPECT_THROW(header.add_tensor(std::string(64, 'n'), GgmlType::kF32, {1}), InvalidArgument);
    EXPECT_THROW(header.add_tensor("five", GgmlType::kF32, {1, 1, 1, 1, 1}), InvalidArgument);
    EXPECT_THROW(header.add_tensor("rows", GgmlType::kQ4_0, {32, 31}), InvalidArgument);
    EXPECT_THROW(header.add_tensor("negative", GgmlType::kF32, {-1}), InvalidArgument);
}

TEST_F(GgufWriterTest, RefusesToCommitWhatIsIncomplete) {
    GgufHeader header;
    header.add_tensor("t", GgmlType::kF32, {2});
    {
        GgufWriter writer(folder_ / "m.gguf", header);
        writer.write("t", std::vector<std::byte>(4));
        EXPECT_THROW(writer.commit(), InvalidArgument);
    }
    EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

}  // namespace
}  // namespace assay
