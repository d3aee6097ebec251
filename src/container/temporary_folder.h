// A folder for one test, removed with everything in it. Used by tests only.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace assay {

class TemporaryFolder : public testing::Test {
  protected:
    TemporaryFolder() {
        const auto* test = testing::UnitTest::GetInstance()->current_test_info();
        folder_ = std::filesystem::temp_directory_path() / ("assay-" + std::to_string(::getpid()) + "-" +
                                                            test->test_suite_name() + "-" + test->name());
        std::filesystem::create_directories(folder_);
    }
    ~TemporaryFolder() override { std::filesystem::remove_all(folder_); }

    std::filesystem::path folder_;
};

}  // namespace assay
