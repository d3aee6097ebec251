#include "base/atomic_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/error.h"

namespace assay {
namespace {

std::filesystem::path temporary_name(const std::filesystem::path& path) {
    return path.parent_path() / fmt::format(".{}.partial-{}", path.filename().string(), ::getpid());
}

[[noreturn]] void fail(const std::filesystem::path& path, const char* doing) {
    throw Error(fmt::format("{}: cannot {}: {}", path.string(), doing, std::strerror(errno)));
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path)
    : path_(std::move(path)), temporary_(temporary_name(path_)) {
    file_ = std::fopen(temporary_.c_str(), "wb");
    if (file_ == nullptr) fail(path_, "write");
}

AtomicFile::~AtomicFile() {
    if (file_ == nullptr) return;
    std::fclose(file_);
    std::error_code ignored;
    std::filesystem::remove(temporary_, ignored);
}

void AtomicFile::write(std::span<const std::byte> bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) fail(path_, "write");
}

void AtomicFile::write(std::string_view text) {
    write(std::as_bytes(std::span(text.data(), text.size())));
}

void AtomicFile::commit() {
    if (std::fflush(file_) != 0 || ::fsync(::fileno(file_)) != 0) fail(path_, "write");
    std::fclose(file_);
    file_ = nullptr;
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0)
        fail(path_, "rename a temporary file to this name");
}

void write_file(const std::filesystem::path& path, std::string_view text) {
    AtomicFile file(path);
    file.write(text);
    file.commit();
}

AtomicFolder::AtomicFolder(std::filesystem::path target) : target_(std::move(target)) {
    if (target_.filename().empty()) target_ = target_.parent_path();  // "DIR/" means DIR
    if (std::filesystem::exists(target_)) {
        throw InvalidArgument(target_.string() + ": already exists; remove it or choose another name");
    }
    temporary_ = temporary_name(target_);
    std::error_code error;
    std::filesystem::create_directories(temporary_, error);
    if (error) throw Error(fmt::format("{}: cannot create: {}", temporary_.string(), error.message()));
}

AtomicFolder::~AtomicFolder() {
    std::error_code ignored;
    if (!temporary_.empty()) std::filesystem::remove_all(temporary_, ignored);
}

void AtomicFolder::commit() {
    if (std::rename(temporary_.c_str(), target_.c_str()) != 0)
        fail(target_, "rename a temporary folder to this name");
    temporary_.clear();
}

}  // namespace assay
