// Tests of mapped and atomically written files, hashes and random numbers.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/mapped_file.h"
#include "base/rng.h"
#include "base/sha256.h"

namespace assay {
namespace {

class Files : public ::testing::Test {
  protected:
    void SetUp() override {
        folder_ = std::filesystem::temp_directory_path() /
                  (std::string("assay-files-") + std::to_string(::getpid()) +
                   ::testing::UnitTest::GetInstance()->current_test_info()->name());
        std::filesystem::create_directories(folder_);
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }
    std::filesystem::path folder_;
};

TEST_F(Files, AbandonedAtomicFileLeavesNothing) {
    {
        AtomicFile file(folder_ / "out.txt");
        file.write("half");
    }
    EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(Files, CommittedAtomicFileReplacesTheOldOneWhole) {
    write_file(folder_ / "out.txt", "old");
    write_file(folder_ / "out.txt", "new text");
    EXPECT_EQ(read_file(folder_ / "out.txt"), "new text");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(Files, AbandonedAtomicFolderLeavesNothingAndExistingTargetIsRefused) {
    {
        AtomicFolder folder(folder_ / "model");
        write_file(folder.path() / "a", "1");
    }
    EXPECT_TRUE(std::filesystem::is_empty(folder_));
    AtomicFolder folder(folder_ / "model/");
    folder.commit();
    EXPECT_TRUE(std::filesystem::is_directory(folder_ / "model"));
    EXPECT_THROW(AtomicFolder(folder_ / "model"), InvalidArgument);
}

TEST_F(Files, MappingAMissingFileOrAFolderNamesIt) {
    EXPECT_THROW(MappedFile::open(folder_ / "nothing"), FormatError);
    EXPECT_THROW(MappedFile::open(folder_), FormatError);
}

TEST_F(Files, EmptyFileMapsToNoBytes) {
    write_file(folder_ / "empty", "");
    EXPECT_TRUE(MappedFile::open(folder_ / "empty")->bytes().empty());
}

TEST(Sha256, MatchesThePublishedVector) {
    const std::string abc = "abc";  // FIPS 180-2, appendix B.1
    EXPECT_EQ(sha256_hex(std::as_bytes(std::span(abc))),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Rng, IsReproducibleAndStreamsDiffer) {
    Rng a(1), b(1), c(1, 1), d(2);
    const auto first = a.next();
    EXPECT_EQ(first, b.next());
    EXPECT_NE(first, c.next());
    EXPECT_NE(first, d.next());
}

TEST(Rng, UniformHasTheRightMeanAndBelowStaysBelow) {
    Rng rng(7);
    double sum = 0;
    for (int i = 0; i < 100000; ++i) {
        sum += rng.uniform();
        ASSERT_LT(rng.below(3), 3u);
    }
    EXPECT_NEAR(sum / 100000, 0.5, 5 * 0.2887 / 316.2);  // five standard errors
}

}  // namespace
}  // namespace assay
