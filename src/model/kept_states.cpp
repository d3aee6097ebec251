#include "model/kept_states.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

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

KeptStates::KeptStates(compute::Backend& backend, std::vector<std::int64_t> rows, std::int64_t cols,
                       std::int64_t limit)
    : backend_(backend), rows_(std::move(rows)), cols_(cols), states_(rows_.size()) {
    std::int64_t all = 0;
    for (std::int64_t r : rows_) {
        offsets_.push_back(4 * all);
        all += r * cols;
    }
    // A file holds f32: the naive backend's doubles stay in memory.
    if (all * backend.element_bytes() <= limit || backend.element_bytes() != 4) return;
    file_ = open_nameless();
}

KeptStates::~KeptStates() {
    if (file_ >= 0) ::close(file_);
}

Matrix<float>& KeptStates::buffer_of(std::size_t index) {
    if (buffer_.rows() != rows_[index]) buffer_ = Matrix<float>(rows_[index], cols_);
    return buffer_;
}

void KeptStates::keep(std::size_t index, compute::Tensor& state) {
    if (file_ < 0) {
        std::swap(states_[index], state);
        return;
    }
    Matrix<float>& buffer = buffer_of(index);
    backend_.download(state, buffer.view());
    transfer(::pwrite, file_, reinterpret_cast<const char*>(buffer.values().data()), bytes_of(index),
             offsets_[index], "write");
}

void KeptStates::take(std::size_t index, compute::Tensor& state) {
    if (file_ < 0) {
        state = std::move(states_[index]);
        return;
    }
    Matrix<float>& buffer = buffer_of(index);
    transfer(::pread, file_, reinterpret_cast<char*>(buffer.values().data()), bytes_of(index),
             offsets_[index], "read");
    if (state.empty() || state.rows() != rows_[index]) state = backend_.allocate(rows_[index], cols_);
    backend_.upload(buffer.view(), state);
}

void KeptStates::give_back(std::size_t index, compute::Tensor& state) {
    if (file_ < 0) states_[index] = std::move(state);
}

void BlockStates::block(std::int64_t block, const TokenChunk& /*chunk*/, const compute::Tensor& state) {
    compute::Tensor copy = backend_.allocate(state.rows(), state.cols());
    backend_.copy_rows(state, 0, copy, 0, state.rows());
    states_.keep(static_cast<std::size_t>(block + 1), copy);
}

}  // namespace assay
