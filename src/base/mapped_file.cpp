#include "base/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace assay {
namespace {

// Closes a file descriptor when the scope ends.
class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }

  private:
    int fd_;
};

[[noreturn]] void fail(const std::filesystem::path& path, const char* doing) {
    throw FormatError(fmt::format("{}: cannot {}: {}", path.string(), doing, std::strerror(errno)));
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) fail(path, "open");
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) fail(path, "stat");
    if (!S_ISREG(info.st_mode)) throw FormatError(path.string() + ": not a regular file");
    const auto size = static_cast<std::size_t>(info.st_size);
    void* data = nullptr;
    if (size > 0) {
        data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
        if (data == MAP_FAILED) fail(path, "map");
    }
    return std::shared_ptr<const MappedFile>(
        new MappedFile(path, file.release(), static_cast<const std::byte*>(data), size));
}

MappedFile::~MappedFile() {
    if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
    ::close(descriptor_);
}

void MappedFile::release(std::span<const std::byte> part) const {
    if (part.empty()) return;
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const auto begin = static_cast<std::size_t>(part.data() - data_) / page * page;
    const std::size_t end = static_cast<std::size_t>(part.data() - data_) + part.size();
    ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_DONTNEED);
}

void MappedFile::fetch(std::span<const std::byte> part) const {
    constexpr std::size_t kPiece = std::size_t{1} << 20;
    std::vector<std::byte> scratch(std::min(kPiece, part.size()));
    auto at = static_cast<off_t>(part.data() - data_);
    for (std::size_t left = part.size(); left > 0;) {
        const ssize_t n = ::pread(descriptor_, scratch.data(), std::min(left, scratch.size()), at);
        if (n <= 0) return;
        at += n;
        left -= static_cast<std::size_t>(n);
    }
}

std::string read_file(const std::filesystem::path& path, std::size_t max_bytes) {
    const auto file = MappedFile::open(path);
    if (file->bytes().size() > max_bytes) {
        throw FormatError(fmt::format("{}: {} bytes, more than the {} that such a file may have",
                                      path.string(), file->bytes().size(), max_bytes));
    }
    return {reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()};
}

}  // namespace assay
