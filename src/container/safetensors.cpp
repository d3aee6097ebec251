#include "container/safetensors.h"

#include <fmt/format.h>

#include <functional>

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/byte_reader.h"
#include "base/error.h"
#include "container/json.h"
#include "container/printable.h"
#include "container/safetensors_dtype.h"
#include "container/tensor_bytes.h"

namespace assay {
namespace {

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr const char* kSingleName = "model.safetensors";
constexpr const char* kIndexName = "model.safetensors.index.json";

struct Extent {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;      // exclusive; both count from the data section
    TensorMap::iterator place;  // the tensor there
};

Shape read_shape(const Json& entry, const std::string& where) {
    Shape shape;
    for (const Json& dimension : require_array(entry, "shape", where)) {
        shape.push_back(as_int(dimension, json_path(where, "shape"), {.least = 0}));
    }
    return shape;
}

Extent read_extent(const Json& entry, const std::string& where) {
    const Json& offsets = require_array(entry, "data_offsets", where);
    const std::string path = json_path(where, "data_offsets");
    if (offsets.size() != 2)
        throw FormatError(fmt::format("{} has {} numbers, expected [begin, end]", path, offsets.size()));
    Extent extent;
    extent.begin = static_cast<std::uint64_t>(as_int(offsets[0], path, {.least = 0}));
    extent.end = static_cast<std::uint64_t>(as_int(offsets[1], path, {.least = 0}));
    if (extent.end < extent.begin)
        throw FormatError(fmt::format("{}: end {} is before begin {}", path, extent.end, extent.begin));
    return extent;
}

// Dtype, shape and place of one tensor; the place is not yet compared with the file.
std::pair<TensorView, Extent> read_entry(const Json& entry, const std::string& where) {
    TensorView tensor;
    const std::string spelling = require_string(entry, "dtype", where);
    const auto dtype = find_safetensors_dtype(spelling);
    if (!dtype)
        throw FormatError(fmt::format("{}: unknown dtype \"{}\"; the file may be newer than this program",
                                      where, printable(spelling)));
    tensor.dtype = *dtype;
    tensor.shape = read_shape(entry, where);
    const Extent extent = read_extent(entry, where);
    const auto bytes = tensor_bytes(tensor.shape, tensor.dtype);
    if (!bytes) {
        throw FormatError(fmt::format("{}: shape {} of {} overflows or is no whole number of bytes", where,
                                      to_string(tensor.shape), spelling));
    }
    if (extent.end - extent.begin != *bytes) {
        throw FormatError(fmt::format("{}: data_offsets span {} bytes, but shape {} of {} needs {}", where,
                                      extent.end - extent.begin, to_string(tensor.shape), spelling, *bytes));
    }
    return {std::move(tensor), extent};
}

// Sorts the extents, which must cover the data section exactly: no hole, no overlap,
// nothing behind the last.
void check_coverage(std::vector<Extent>& extents, std::uint64_t data_bytes, std::string_view what) {
    std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
        return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::uint64_t covered = 0;
    for (const Extent& extent : extents) {
        if (extent.begin != covered) {
            throw FormatError(fmt::format("{}: tensor {} begins at data offset {}, expected {} ({})", what,
                                          printable(extent.place->first), extent.begin, covered,
                                          extent.begin < covered ? "overlap" : "hole"));
        }
        covered = extent.end;
    }
    if (covered != data_bytes) {
        throw FormatError(fmt::format("{}: the tensors need {} bytes of data, the file has {}{}", what,
                                      covered, data_bytes,
                                      covered > data_bytes ? "; it is cut short, fetch it again" : ""));
    }
}

MetadataMap read_metadata(const Json& object, const std::string& where) {
    if (!object.is_object()) throw FormatError(where + " is of another type, expected an object of strings");
    MetadataMap metadata;
    for (const auto& item : object.items())
        metadata[item.key()] = as_string(item.value(), json_path(where, item.key()));
    return metadata;
}

std::string_view read_header(ByteReader& reader, std::string_view what) {
    const auto header_bytes = reader.read<std::uint64_t>();
    if (header_bytes > kMaxHeaderBytes) {
        throw FormatError(
            fmt::format("{}: header of {} bytes, at most {} are allowed; is this a safetensors file?", what,
                        header_bytes, kMaxHeaderBytes));
    }
    const std::string_view header = reader.take_text(header_bytes);
    if (!header.starts_with('{'))
        throw FormatError(fmt::format("{}: the header does not begin with '{{'", what), 8);
    return header;
}

}  // namespace

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
    auto mapped = MappedFile::open(path);
    SafetensorsFile file(mapped->bytes(), path.string());
    file.file_ = std::move(mapped);
    return file;
}

SafetensorsFile::SafetensorsFile(std::span<const std::byte> bytes, std::string_view what) {
    ByteReader reader(bytes, what);
    const Json header = parse_json(read_header(reader, what), what);
    const auto data = reader.take(reader.remaining());
    std::vector<Extent> extents;
    for (const auto& item : header.items()) {
        const std::string where = json_path(what, item.key());
        if (item.key() == "__metadata__") {
            metadata_ = read_metadata(item.value(), where);
            continue;
        }
        auto [tensor, extent] = read_entry(item.value(), where);
        extent.place = tensors_.emplace(item.key(), std::move(tensor)).first;
        extents.push_back(extent);
    }
    check_coverage(extents, data.size(), what);
    for (const Extent& extent : extents) {
        extent.place->second.bytes = data.subspan(extent.begin, extent.end - extent.begin);
    }
}

namespace {

bool is_file(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(path, ignored);
}

// A file name that cannot lead out of the folder.
bool is_plain_name(std::string_view name) {
    return !name.empty() && name.find_first_of(std::string_view("/\\\0", 3)) == name.npos &&
           name.find("..") == name.npos;
}

using ShardNames = std::map<std::string, std::string>;  // tensor -> file in the folder

ShardNames read_index(const std::filesystem::path& path) {
    const std::string what = path.string();
    const Json index = parse_json(read_file(path), what);
    ShardNames shard_of;
    for (const auto& item : require_object(index, "weight_map", what).items()) {
        const std::string where = json_path(json_path(what, "weight_map"), item.key());
        const std::string shard = as_string(item.value(), where);
        if (!is_plain_name(shard)) {
            throw FormatError(fmt::format("{} is \"{}\", expected the name of a file in the same folder",
                                          where, printable(shard)));
        }
        shard_of[item.key()] = shard;
    }
    return shard_of;
}

[[noreturn]] void fail_no_model(const std::filesystem::path& folder) {
    throw FormatError(
        fmt::format("{}: neither {} nor {} is there; give the folder of a model saved as safetensors "
                    "(PyTorch .bin files must be "
                    "converted first)",
                    folder.string(), kSingleName, kIndexName));
}

}  // namespace

SafetensorsSet SafetensorsSet::open(const std::filesystem::path& folder) {
    SafetensorsSet set;
    set.folder_ = folder;
    if (is_file(folder / kSingleName)) {
        set.add_shard(folder / kSingleName);
        return set;
    }
    if (!is_file(folder / kIndexName)) fail_no_model(folder);
    set.paths_.push_back(folder / kIndexName);
    std::map<std::string, std::vector<std::string>> tensors_of;
    for (const auto& [tensor, shard] : read_index(folder / kIndexName)) tensors_of[shard].push_back(tensor);
    for (const auto& [shard, tensors] : tensors_of) {
        set.add_shard(folder / shard);
        const TensorMap& present = set.shards_.back().tensors();
        for (const std::string& tensor : tensors) {
            if (present.contains(tensor)) continue;
            throw FormatError(
                fmt::format("{}: tensor {} is not in it, though {} says so; download both again",
                            (folder / shard).string(), printable(tensor), kIndexName));
        }
    }
    return set;
}

std::string SafetensorsSet::file_of(std::string_view tensor) const {
    const std::size_t first = paths_.size() - shards_.size();  // behind the index
    for (std::size_t i = 0; i < shards_.size(); ++i) {
        if (shards_[i].tensors().contains(tensor)) return paths_[first + i].string();
    }
    return folder_.string();
}

const MappedFile* SafetensorsSet::mapping_of(std::span<const std::byte> bytes) const {
    for (const SafetensorsFile& shard : shards_) {
        const auto whole = shard.mapping()->bytes();
        if (!std::less<>()(bytes.data(), whole.data()) &&
            std::less<>()(bytes.data(), whole.data() + whole.size()))
            return shard.mapping();
    }
    return nullptr;
}

void SafetensorsSet::add_shard(const std::filesystem::path& path) {
    if (!is_file(path)) {
        throw FormatError(
            fmt::format("{} is missing, though {} names it; download it again", path.string(), kIndexName));
    }
    paths_.push_back(path);
    shards_.push_back(SafetensorsFile::open(path));
    for (const auto& [name, view] : shards_.back().tensors()) {
        if (!tensors_.emplace(name, view).second) {
            throw FormatError(
                fmt::format("{}: tensor {} is in another shard too", path.string(), printable(name)));
        }
    }
}

}  // namespace assay
