#include "base/part_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <system_error>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/mapped_file.h"
#include "base/sha256.h"

namespace assay {
namespace {

constexpr std::size_t kHashLength = 64;

std::string hash_of(const std::string& text) {
    return sha256_hex(std::as_bytes(std::span(text.data(), text.size())));
}

// What a file holds: the hash of all that follows, the part's name and a line feed, the numbers' bytes.
std::string document(const std::string& part, std::span<const double> numbers) {
    std::string body = part + "\n";
    body.append(reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes());
    return hash_of(body) + body;
}

}  // namespace

PartCache::PartCache(const std::filesystem::path& folder, const std::string& run)
    : folder_(folder / hash_of(run)) {}

std::filesystem::path PartCache::file_of(const std::string& part) const {
    return folder_ / hash_of(part);
}

std::optional<std::vector<double>> PartCache::find(const std::string& part) const {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(file_of(part), ignored)) return std::nullopt;
    const std::string text = read_file(file_of(part));
    const std::string head = part + "\n";
    if (text.size() < kHashLength + head.size()) return std::nullopt;
    const std::string body = text.substr(kHashLength);
    if (text.compare(0, kHashLength, hash_of(body)) != 0 || body.compare(0, head.size(), head) != 0)
        return std::nullopt;
    std::vector<double> numbers((body.size() - head.size()) / sizeof(double));
    std::memcpy(numbers.data(), body.data() + head.size(), numbers.size() * sizeof(double));
    return numbers;
}

void PartCache::keep(const std::string& part, std::span<const double> numbers) const {
    std::error_code failed;
    std::filesystem::create_directories(folder_, failed);
    if (failed) return;
    try {
        write_file(file_of(part), document(part, numbers));
    } catch (const Error&) {  // a full disk must not end the measurement
    }
}

void PartCache::remove() const {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

std::string PartCache::next(const std::string& kind) {
    kinds_.push_back(kind);
    return fmt::format("{}-{}", kind, std::count(kinds_.begin(), kinds_.end(), kind));
}

double NumberReader::next() {
    if (numbers_.empty()) throw FormatError("a kept part of a measurement is shorter than it should be");
    const double number = numbers_.front();
    numbers_ = numbers_.subspan(1);
    return number;
}

std::int64_t NumberReader::next_count() {
    const double number = next();
    if (!(number >= 0 && number <= 9007199254740992.0))
        throw FormatError("a kept part of a measurement holds no count where one should be");
    return static_cast<std::int64_t>(number);
}

std::vector<double> NumberReader::next_list() {
    const auto count = static_cast<std::size_t>(next_count());
    if (count > numbers_.size())
        throw FormatError("a kept part of a measurement is shorter than it should be");
    std::vector<double> list(numbers_.begin(), numbers_.begin() + static_cast<std::ptrdiff_t>(count));
    numbers_ = numbers_.subspan(count);
    return list;
}

void append_list(std::span<const double> list, std::vector<double>& numbers) {
    numbers.push_back(static_cast<double>(list.size()));
    numbers.insert(numbers.end(), list.begin(), list.end());
}

}  // namespace assay
