#include "base/part_cache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/error.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

class PartCacheTest : public ::testing::Test {
  protected:
    ~PartCacheTest() override { fs::remove_all(folder_); }

    std::vector<fs::path> files() const {
        std::vector<fs::path> all;
        if (!fs::exists(folder_)) return all;
        for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
            if (entry.is_regular_file()) all.push_back(entry.path());
        }
        return all;
    }

    fs::path folder_ = fs::temp_directory_path() / ("assay-parts-" + std::to_string(::getpid()));
    const std::vector<double> numbers_{1.5, -0.0, 1e300, 3};
};

TEST_F(PartCacheTest, GivesBackWhatWasKeptInALaterRunOfTheSameName) {
    PartCache(folder_, "run").keep("part", numbers_);
    EXPECT_EQ(PartCache(folder_, "run").find("part"), numbers_);
    EXPECT_FALSE(PartCache(folder_, "run").find("other part"));
    EXPECT_FALSE(PartCache(folder_, "other run").find("part"));
}

TEST_F(PartCacheTest, ADamagedOrTruncatedFileIsMissing) {
    const PartCache cache(folder_, "run");
    cache.keep("part", numbers_);
    ASSERT_EQ(files().size(), 1u);
    fs::resize_file(files()[0], fs::file_size(files()[0]) - 8);
    EXPECT_FALSE(cache.find("part"));
    cache.keep("part", numbers_);
    std::fstream(files()[0], std::ios::in | std::ios::out).seekp(75).put('x');
    EXPECT_FALSE(cache.find("part"));
}

TEST_F(PartCacheTest, RemovesItsOwnRunOnly) {
    const PartCache one(folder_, "one"), two(folder_, "two");
    one.keep("part", numbers_);
    two.keep("part", numbers_);
    one.remove();
    EXPECT_FALSE(one.find("part"));
    EXPECT_TRUE(two.find("part"));
}

TEST_F(PartCacheTest, AFolderThatCannotBeMadeKeepsNothing) {
    std::ofstream(folder_) << "a file";
    const PartCache cache(folder_, "run");
    cache.keep("part", numbers_);
    EXPECT_FALSE(cache.find("part"));
}

TEST_F(PartCacheTest, NamesComputationsInTheirOrder) {
    PartCache cache(folder_, "run");
    EXPECT_EQ(cache.next("sweep"), "sweep-1");
    EXPECT_EQ(cache.next("score"), "score-1");
    EXPECT_EQ(cache.next("sweep"), "sweep-2");
}

TEST(NumberReader, ReadsListsAndRejectsWhatIsTooShort) {
    std::vector<double> numbers{7};
    append_list(std::vector<double>{1, 2}, numbers);
    NumberReader reader(numbers);
    EXPECT_EQ(reader.next_count(), 7);
    EXPECT_EQ(reader.next_list(), (std::vector<double>{1, 2}));
    EXPECT_TRUE(reader.at_end());
    EXPECT_THROW(reader.next(), FormatError);
    const std::vector<double> longer{5, 1}, negative{-1};
    EXPECT_THROW(NumberReader(longer).next_list(), FormatError);
    EXPECT_THROW(NumberReader(negative).next_count(), FormatError);
}

}  // namespace
}  // namespace assay
