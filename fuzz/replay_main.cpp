// Runs a fuzz target over every file of the folders given: the corpus as a unit test, without libFuzzer.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "base/mapped_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

// All regular files under `folder`, sorted. Throws where there is no such folder.
std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

int replay(const std::filesystem::path& folder) {
    const auto files = files_in(folder);
    for (const auto& path : files) {
        const std::string input = assay::read_file(path);
        try {
            LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
        } catch (const std::exception& error) {
            std::fprintf(stderr, "%s: exception escaped: %s\n", path.c_str(), error.what());
            return 1;
        }
    }
    std::printf("%s: %zu inputs\n", folder.c_str(), files.size());
    return files.empty() ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s FOLDER...\n", argv[0]);
        return 2;
    }
    try {
        for (int i = 1; i < argc; ++i) {
            if (const int status = replay(argv[i]); status != 0) return status;
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
