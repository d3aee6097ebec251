#include "treat/encoded_folder.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "container/safetensors_writer.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr const char *kCodes = ".codes", *kScales = ".scales", *kZeros = ".zeros", *kGroups = ".groups",
                     *kColumns = ".columns";
constexpr const char* kReports = "reports";

fs::path temporary_folder() {
    std::string name = (fs::temp_directory_path() / "assay-weights-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
        throw Error(fmt::format("{}: cannot make a folder: {}; set TMPDIR to a folder with room",
                                fs::temp_directory_path().string(), std::strerror(errno)));
    }
    return name;
}

template <class T>
std::span<const std::byte> bytes_of(const T& values) {
    return std::as_bytes(std::span(values));
}

// A weight's tensors, in any order: name, what it holds, its bytes.
struct Part {
    TensorDeclaration declaration;
    std::span<const std::byte> bytes;
};

std::vector<Part> parts_of(const CalibratedWeight& w) {
    const std::string& name = w.report.name;
    const IntEncoding& e = w.weight.encoding;
    const auto shape = [](const auto& m) { return Shape{m.rows(), m.cols()}; };
    return {{{name + kCodes, DType::kU8, shape(e.codes)}, bytes_of(e.codes.values())},
            {{name + kScales, DType::kF32, shape(e.scales)}, bytes_of(e.scales.values())},
            {{name + kZeros, DType::kU8, shape(e.zeros)}, bytes_of(e.zeros.values())},
            {{name + kGroups, DType::kI32, {std::ssize(w.weight.column_groups)}},
             bytes_of(w.weight.column_groups)},
            {{name + kColumns, DType::kF32, {std::ssize(w.weight.column_scales)}},
             bytes_of(w.weight.column_scales)}};
}

// A tensor of the file as a matrix; throws FormatError where it is not of that kind.
template <class T>
Matrix<T> matrix_of(const SafetensorsFile& file, const std::string& name, DType type) {
    const auto found = file.tensors().find(name);
    if (found == file.tensors().end() || found->second.dtype != type || found->second.shape.empty())
        throw FormatError("a file of treated weights holds no " + name);
    const TensorView& view = found->second;
    Matrix<T> out(view.shape[0], view.shape.size() > 1 ? view.shape[1] : 1);
    if (!view.bytes.empty()) std::memcpy(out.values().data(), view.bytes.data(), view.bytes.size());
    if (file.mapping() != nullptr) file.mapping()->release(view.bytes);
    return out;
}

std::string metadata_of(const SafetensorsFile& file, const char* key) {
    const auto found = file.metadata().find(key);
    return found == file.metadata().end() ? "" : found->second;
}

}  // namespace

EncodedFolder::EncodedFolder(fs::path folder) : folder_(std::move(folder)), nameless_(folder_.empty()) {
    if (nameless_) return;
    std::error_code failed;
    fs::create_directories(folder_, failed);
    if (failed)
        throw Error(fmt::format("{}: cannot make the folder: {}", folder_.string(), failed.message()));
}

fs::path EncodedFolder::file_of(std::int64_t block) const {
    return folder_ / fmt::format("block-{:04}.safetensors", block);
}

bool EncodedFolder::open(std::int64_t block, const std::vector<std::string>& linears,
                         const std::string& treatment) {
    const fs::path path = file_of(block);
    std::error_code ignored;
    if (nameless_ || !fs::is_regular_file(path, ignored)) return false;
    try {
        Block opened{SafetensorsFile::open(path), {}};
        opened.reports = parse_calibration(metadata_of(opened.file, kReports), path.string());
        std::vector<std::string> names;
        for (const CalibratedLinear& report : opened.reports) {
            if (report.treatment != treatment) return false;
            names.push_back(report.name);
        }
        if (!std::is_permutation(names.begin(), names.end(), linears.begin(), linears.end())) return false;
        add(block, std::move(opened));
        return true;
    } catch (const FormatError&) {
        return false;
    }
}

void EncodedFolder::keep(std::int64_t block, std::span<const CalibratedWeight> weights) {
    std::vector<CalibratedLinear> reports;
    std::map<std::string, Part> parts;
    std::vector<TensorDeclaration> declarations;
    for (const CalibratedWeight& w : weights) {
        reports.push_back(w.report);
        for (Part& part : parts_of(w)) {
            declarations.push_back(part.declaration);
            parts.emplace(part.declaration.name, std::move(part));
        }
    }
    if (nameless_) folder_ = temporary_folder();
    const fs::path path = file_of(block);
    SafetensorsWriter writer(path, std::move(declarations), {{kReports, calibration_text(reports)}});
    for (const TensorDeclaration& d : writer.order()) writer.write(d.name, parts.at(d.name).bytes);
    writer.commit();
    add(block, {SafetensorsFile::open(path), std::move(reports)});
    if (nameless_) fs::remove_all(folder_);  // the file stays while it is mapped
}

void EncodedFolder::add(std::int64_t block, Block opened) {
    const auto [place, added] = blocks_.insert_or_assign(block, std::move(opened));
    for (const CalibratedLinear& report : place->second.reports) places_[report.name] = &place->second;
}

EncodedWeight EncodedFolder::weight(const std::string& name) const {
    const auto found = places_.find(name);
    if (found == places_.end()) throw InvalidArgument(name + " has not been treated");
    const SafetensorsFile& file = found->second->file;
    const auto& reports = found->second->reports;
    const auto report = std::find_if(reports.begin(), reports.end(),
                                     [&](const CalibratedLinear& linear) { return linear.name == name; });
    const Matrix<std::int32_t> groups = matrix_of<std::int32_t>(file, name + kGroups, DType::kI32);
    const Matrix<float> columns = matrix_of<float>(file, name + kColumns, DType::kF32);
    return {std::get<IntFormat>(parse_treatment(report->treatment).format),
            {matrix_of<std::uint8_t>(file, name + kCodes, DType::kU8),
             matrix_of<float>(file, name + kScales, DType::kF32),
             matrix_of<std::uint8_t>(file, name + kZeros, DType::kU8)},
            {groups.values().begin(), groups.values().end()},
            {columns.values().begin(), columns.values().end()}};
}

void EncodedFolder::apply(const LinearItem& item, MatrixView<float> w) const {
    ThreadPool own_thread(1);  // passes load several linears at once, each on its own thread
    decode(weight(item.name), w, own_thread);
}

std::vector<CalibratedLinear> EncodedFolder::reports() const {
    std::vector<CalibratedLinear> all;
    for (const auto& [block, opened] : blocks_)
        all.insert(all.end(), opened.reports.begin(), opened.reports.end());
    return all;
}

}  // namespace assay
