#include "model/block_states.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>

#include "base/error.h"

namespace assay {
namespace {

[[noreturn]] void fail(const char* doing) {
    throw Error(fmt::format(
        "cannot {} a temporary file in {}: {}; set TMPDIR to a folder with room, or raise --memory", doing,
        std::filesystem::temp_directory_path().string(), std::strerror(errno)));
}

int open_nameless() {
    std::string name = (std::filesystem::temp_directory_path() / "assay-states-XXXXXX").string();
    const int file = ::mkstemp(name.data());
    if (file < 0) fail("make");
    ::unlink(name.c_str());
    return file;
}

// All bytes, in as many calls as the system needs.
template <class Call, class Byte>
void transfer(const Call& call, int file, Byte* bytes, std::int64_t count, std::int64_t offset,
              const char* doing) {
    while (count > 0) {
        const ssize_t n = call(file, bytes, static_cast<std::size_t>(count), offset);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) fail(doing);
        bytes += n;
        count -= n;
        offset += n;
    }
}

}  // namespace

BlockStates::BlockStates(compute::Backend& backend, std::int64_t layers, std::int64_t rows, std::int64_t cols,
                         std::int64_t limit)
    : backend_(backend), rows_(rows), cols_(cols), states_(static_cast<std::size_t>(layers) + 1) {
    const std::int64_t all = (layers + 1) * rows * cols * backend.element_bytes();
    // A file holds f32: the naive backend's doubles stay in memory.
    if (all <= limit || backend.element_bytes() != 4) return;
    file_ = open_nameless();
    buffer_ = Matrix<float>(rows, cols);
}

BlockStates::~BlockStates() {
    if (file_ >= 0) ::close(file_);
}

void BlockStates::block(std::int64_t block, const TokenChunk& /*chunk*/, const compute::Tensor& state) {
    const std::int64_t index = block + 1;
    if (file_ < 0) {
        compute::Tensor& kept = states_[static_cast<std::size_t>(index)];
        kept = backend_.allocate(rows_, cols_);
        return backend_.copy_rows(state, 0, kept, 0, rows_);
    }
    backend_.download(state, buffer_.view());
    transfer(::pwrite, file_, reinterpret_cast<const char*>(buffer_.values().data()), bytes(),
             index * bytes(), "write");
}

void BlockStates::take(std::int64_t index, compute::Tensor& state) {
    if (file_ < 0) {
        state = std::move(states_[static_cast<std::size_t>(index)]);
        return;
    }
    transfer(::pread, file_, reinterpret_cast<char*>(buffer_.values().data()), bytes(), index * bytes(),
             "read");
    if (state.empty()) state = backend_.allocate(rows_, cols_);
    backend_.upload(buffer_.view(), state);
}

}  // namespace assay
