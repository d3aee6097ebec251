// Tests of writing safetensors and of folders of shards, which are written here first.
#include "container/safetensors_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/mapped_file.h"
#include "container/json.h"
#include "container/safetensors.h"
#include "container/temporary_folder.h"

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SafetensorsWriterTest : public TemporaryFolder {};
class SafetensorsSetTest : public TemporaryFolder {
  protected:
    // A shard whose tensors are one byte each.
    void write_shard(const std::string& file, const std::vector<std::string>& names) {
        std::vector<TensorDeclaration> tensors;
        for (const std::string& name : names) tensors.push_back({name, DType::kU8, {1}});
        SafetensorsWriter writer(folder_ / file, tensors);
        for (const TensorDeclaration& tensor : writer.order())
            writer.write(tensor.name, std::vector<std::byte>(1));
        writer.commit();
    }
    void write_index(const Json& weight_map) {
        write_file(folder_ / "model.safetensors.index.json",
                   Json({{"metadata", {{"total_size", 2}}}, {"weight_map", weight_map}}).dump());
    }
    std::string rejection() {
        try {
            SafetensorsSet::open(folder_);
        } catch (const FormatError& error) {
            return error.what();
        }
        return {};
    }
};

std::vector<std::byte> counting_bytes(std::size_t count) {
    std::vector<std::byte> bytes(count);
    for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i);
    return bytes;
}

TEST_F(SafetensorsWriterTest, WhatIsWrittenReadsBack) {
    SafetensorsWriter writer(
        folder_ / "m.safetensors",
        {{"b\"\xc3\xa9", DType::kF32, {2, 3}}, {"s", DType::kI64, {}}, {"e", DType::kF16, {0, 4}}});
    const auto bytes = counting_bytes(32);
    writer.write("s", std::span(bytes).first(8));
    writer.write("b\"\xc3\xa9", std::span(bytes).subspan(8, 5));
    writer.write("b\"\xc3\xa9", std::span(bytes).subspan(13, 19));
    writer.commit();
    const auto file = SafetensorsFile::open(folder_ / "m.safetensors");
    ASSERT_EQ(file.tensors().size(), 3u);
    const TensorView& b = file.tensors().at("b\"\xc3\xa9");
    EXPECT_EQ(b.dtype, DType::kF32);
    EXPECT_EQ(b.shape, Shape({2, 3}));
    EXPECT_EQ(std::vector(b.bytes.begin(), b.bytes.end()), std::vector(bytes.begin() + 8, bytes.end()));
    EXPECT_EQ(file.tensors().at("e").shape, Shape({0, 4}));
    EXPECT_EQ(file.metadata().at("format"), "pt");
}

TEST_F(SafetensorsWriterTest, TheHeaderIsPaddedToEight) {
    for (const char* name : {"a", "ab", "abc", "abcdefgh"}) {
        SafetensorsWriter writer(folder_ / "m.safetensors", {{name, DType::kU8, {0}}});
        writer.commit();
        EXPECT_EQ(read_file(folder_ / "m.safetensors").size() % 8, 0u);
    }
}

TEST_F(SafetensorsWriterTest, WiderTypesComeFirstThenNames) {
    SafetensorsWriter writer(
        folder_ / "m.safetensors",
        {{"a", DType::kBF16, {1}}, {"z", DType::kF32, {1}}, {"c", DType::kF32, {1}}, {"b", DType::kU8, {1}}});
    std::vector<std::string> names;
    for (const TensorDeclaration& tensor : writer.order()) names.push_back(tensor.name);
    EXPECT_THAT(names, ElementsAre("c", "z", "a", "b"));
}

TEST_F(SafetensorsWriterTest, RefusesWrongOrderSurplusAndEarlyCommit) {
    {
        SafetensorsWriter writer(folder_ / "m.safetensors", {{"a", DType::kU8, {2}}, {"b", DType::kU8, {1}}});
        const std::vector<std::byte> bytes(3);
        EXPECT_THROW(writer.write("b", std::span(bytes).first(1)), InvalidArgument);
        EXPECT_THROW(writer.write("a", bytes), InvalidArgument);
        EXPECT_THROW(writer.commit(), InvalidArgument);
        writer.write("a", std::span(bytes).first(2));
        writer.write("b", std::span(bytes).first(1));
        EXPECT_THROW(writer.write("b", bytes), InvalidArgument);
    }
    EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(SafetensorsWriterTest, RefusesBadDeclarations) {
    const auto path = folder_ / "m.safetensors";
    EXPECT_THROW(SafetensorsWriter(path, {{"a", DType::kU8, {1}}, {"a", DType::kF32, {1}}}), InvalidArgument);
    EXPECT_THROW(SafetensorsWriter(path, {{"__metadata__", DType::kU8, {1}}}), InvalidArgument);
    EXPECT_THROW(SafetensorsWriter(path, {{"\xff", DType::kU8, {1}}}), InvalidArgument);
    EXPECT_THROW(SafetensorsWriter(path, {{"a", DType::kU8, {-1}}}), InvalidArgument);
    EXPECT_THROW(SafetensorsWriter(path, {{"a", DType::kF4, {3}}}), InvalidArgument);
    EXPECT_THROW(SafetensorsWriter(path, {{"a", DType::kF32, {std::int64_t{1} << 62, 4}}}), InvalidArgument);
    EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(SafetensorsSetTest, ReadsASingleFile) {
    write_shard("model.safetensors", {"a", "b"});
    const auto set = SafetensorsSet::open(folder_);
    EXPECT_EQ(set.tensors().size(), 2u);
    EXPECT_THAT(set.files(), ElementsAre(folder_ / "model.safetensors"));
}

TEST_F(SafetensorsSetTest, ReadsAllShardsOfAnIndex) {
    write_shard("model-00001-of-00002.safetensors", {"a", "b"});
    write_shard("model-00002-of-00002.safetensors", {"c"});
    write_index({{"a", "model-00001-of-00002.safetensors"},
                 {"b", "model-00001-of-00002.safetensors"},
                 {"c", "model-00002-of-00002.safetensors"}});
    const auto set = SafetensorsSet::open(folder_);
    EXPECT_EQ(set.tensors().size(), 3u);
    EXPECT_EQ(set.tensors().at("c").bytes.size(), 1u);
    EXPECT_THAT(set.files(), ElementsAre(folder_ / "model.safetensors.index.json",
                                         folder_ / "model-00001-of-00002.safetensors",
                                         folder_ / "model-00002-of-00002.safetensors"));
}

TEST_F(SafetensorsSetTest, RejectsAFolderWithoutModel) {
    EXPECT_THROW(SafetensorsSet::open(folder_), FormatError);
}

TEST_F(SafetensorsSetTest, RejectsAnIndexThatIsNoIndex) {
    write_file(folder_ / "model.safetensors.index.json", "[]");
    EXPECT_THAT(rejection(), HasSubstr("expected an object"));
    write_file(folder_ / "model.safetensors.index.json", "{}");
    EXPECT_THAT(rejection(), HasSubstr("weight_map is missing"));
    write_index({{"a", 1}});
    EXPECT_THAT(rejection(), HasSubstr("expected a string"));
}

TEST_F(SafetensorsSetTest, RejectsShardNamesThatLeaveTheFolder) {
    for (const std::string name :
         {"../m.safetensors", "/etc/passwd", "a\\b.safetensors", "x..y", "", "sub/m.safetensors"}) {
        write_index({{"a", name}});
        EXPECT_THAT(rejection(), HasSubstr("expected the name of a file in the same folder")) << name;
    }
    write_index({{"a", std::string("m\0.safetensors", 14)}});
    EXPECT_THAT(rejection(), HasSubstr("expected the name of a file in the same folder"));
}

TEST_F(SafetensorsSetTest, RejectsAMissingShardByName) {
    write_shard("one.safetensors", {"a"});
    write_index({{"a", "one.safetensors"}, {"b", "two.safetensors"}});
    EXPECT_THAT(rejection(), HasSubstr("two.safetensors is missing"));
    EXPECT_THAT(rejection(), HasSubstr("download it again"));
}

TEST_F(SafetensorsSetTest, RejectsAnIndexedTensorThatIsNotInItsShard) {
    write_shard("one.safetensors", {"a"});
    write_index({{"a", "one.safetensors"}, {"b", "one.safetensors"}});
    EXPECT_THAT(rejection(), HasSubstr("tensor b is not in it"));
}

TEST_F(SafetensorsSetTest, RejectsATensorInTwoShards) {
    write_shard("one.safetensors", {"a", "b"});
    write_shard("two.safetensors", {"b", "c"});
    write_index({{"a", "one.safetensors"}, {"c", "two.safetensors"}});
    EXPECT_THAT(rejection(), HasSubstr("tensor b is in another shard too"));
}

}  // namespace
}  // namespace assay
