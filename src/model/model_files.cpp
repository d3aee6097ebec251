#include "model/model_files.h"

#include <fmt/format.h>

#include <set>

#include "base/error.h"
#include "base/mapped_file.h"
#include "container/gguf.h"
#include "container/safetensors.h"
#include "model/architectures.h"
#include "model/gguf_source.h"
#include "model/hub_cache.h"
#include "model/safetensors_source.h"
#include "model/shape_source.h"

namespace assay {
namespace {

constexpr std::size_t kMaxConfigBytes = std::size_t{16} << 20;

Json read_config(const std::filesystem::path& folder) {
    const auto path = config_path(folder);
    if (!std::filesystem::exists(path)) {
        throw FormatError(folder.string() +
                          ": no config.json; expected a Hugging Face model folder or a .gguf file");
    }
    return text_config(parse_json(read_file(path, kMaxConfigBytes), path.string()), path.string());
}

std::string hf_architecture(const Json& config, const std::string& what) {
    const Json& names = require_array(config, "architectures", what);
    if (names.empty()) throw FormatError(what + ": \"architectures\" is empty; expected one class name");
    return as_string(names[0], json_path(what, "architectures"));
}

// Null for one that Assay cannot run: its files can still be listed.
const Architecture* known_architecture(std::string_view name) {
    for (const Architecture& row : architectures()) {
        if (row.hf_name == name) return &row;
    }
    return nullptr;
}

void refuse_quantized(const Json& config, const std::string& what) {
    const QuantizedStorage storage = read_quantization_config(config, what);
    if (!storage.refusal.empty()) throw Unsupported(storage.refusal);
}

ModelFiles open_folder(const std::filesystem::path& path) {
    const Json config = read_config(path);
    ModelFiles files{path,
                     "safetensors",
                     hf_architecture(config, config_path(path).string()),
                     {config_path(path)},
                     nullptr};
    auto source = std::make_shared<SafetensorsSource>(
        SafetensorsSet::open(path), read_quantization_config(config, config_path(path).string()),
        known_architecture(files.architecture));
    files.files.insert(files.files.end(), source->set().files().begin(), source->set().files().end());
    files.weights = std::move(source);
    return files;
}

// Null for one that Assay cannot run: its files can still be listed.
const Architecture* known_architecture(const GgufFile& file) {
    try {
        return &find_gguf_architecture(file);
    } catch (const Unsupported&) {
        return nullptr;
    }
}

ModelFiles open_gguf(const std::filesystem::path& path) {
    const auto file = std::make_shared<const GgufFile>(GgufFile::open(path));
    const std::string architecture(file->require_string("general.architecture"));
    return {
        path, "gguf", architecture, {path}, std::make_shared<GgufSource>(file, known_architecture(*file))};
}

ModelConfig parse_config(const Architecture& row, const Json& config, const std::string& what) {
    ModelConfig parsed = row.parse_hf(config, what);
    parsed.architecture = row.hf_name;
    validate(parsed, what);
    return parsed;
}

Model load_folder(const ModelFiles& files) {
    const std::string what = config_path(files.path).string();
    const Architecture& row = find_hf_architecture(files.architecture, what);
    const Json config = read_config(files.path);
    refuse_quantized(config, what);
    const ModelConfig parsed = parse_config(row, config, what);
    return {files.path.string(), parsed, make_blocks(parsed), files.weights};
}

// One number a frequency, or none where the file has no such tensor.
std::vector<float> read_rope_divisors(const WeightSource& weights, const std::string& name,
                                      std::int64_t frequencies, const std::string& what) {
    if (!weights.contains(name)) return {};
    if (weights.shape(name) != Shape{frequencies}) {
        throw FormatError(fmt::format("{}: tensor {} has shape {}, expected [{}]", what, name,
                                      to_string(weights.shape(name)), frequencies));
    }
    std::vector<float> divisors = read_vector(weights, name);
    for (float d : divisors) {
        if (!(d > 0))
            throw FormatError(
                fmt::format("{}: tensor {} holds {}, expected positive divisors", what, name, d));
    }
    return divisors;
}

void read_rope_tensors(const WeightSource& weights, const std::string& what, RopeConfig& rope) {
    const std::int64_t frequencies = rope.dimensions / 2;
    if (rope.scaling != RopeConfig::Scaling::kLongrope) {
        rope.divisors = read_rope_divisors(weights, "rope_freqs.weight", frequencies, what);
        return;
    }
    rope.divisors = read_rope_divisors(weights, "rope_factors_short.weight", frequencies, what);
    rope.long_divisors = read_rope_divisors(weights, "rope_factors_long.weight", frequencies, what);
    if (rope.divisors.empty() || rope.long_divisors.empty())
        throw FormatError(what + ": longrope's tensors rope_factors_short and rope_factors_long are missing");
}

// llama.cpp refuses files with tensors that it does not use; they would change what the model computes.
void refuse_unused_tensors(const Model& model, const std::string& what) {
    std::set<std::string> used;
    for (const auto& tensor : expected_tensors(model.config(), make_blocks(model.config())))
        used.insert(tensor.first);
    if (model.config().rope.scaling == RopeConfig::Scaling::kLongrope) {
        used.insert({"rope_factors_short.weight", "rope_factors_long.weight"});
    } else {
        used.insert("rope_freqs.weight");
    }
    for (const StoredTensor& tensor : model.weights().tensors()) {
        if (used.contains(tensor.name)) continue;
        throw Unsupported(
            fmt::format("{}: tensor {} is no part of {}", what, tensor.name, model.config().architecture));
    }
}

Model load_gguf(const ModelFiles& files) {
    const std::string what = files.path.string();
    const GgufFile file = GgufFile::open(files.path);
    const Architecture& row = find_gguf_architecture(file);
    ModelConfig parsed = row.parse_gguf(file);
    parsed.architecture = row.hf_name;
    validate(parsed, what);
    read_rope_tensors(*files.weights, what, parsed.rope);
    Model model(what, parsed, make_blocks(parsed), files.weights);
    refuse_unused_tensors(model, what);
    return model;
}

}  // namespace

Model load_model_shapes(const std::filesystem::path& folder) {
    const std::string what = config_path(folder).string();
    const Json config = read_config(folder);
    const ModelConfig parsed =
        parse_config(find_hf_architecture(hf_architecture(config, what), what), config, what);
    return {folder.string(), parsed, make_blocks(parsed), std::make_shared<ShapeSource>(parsed)};
}

std::filesystem::path config_path(const std::filesystem::path& folder) {
    return folder / "config.json";
}

ModelFiles open_model_files(const std::filesystem::path& path) {
    if (!std::filesystem::exists(path)) {
        if (const auto name = parse_hub_name(path.string()))
            return open_folder(find_hub_snapshot(*name, hub_cache_folder()));
        throw FormatError(
            path.string() +
            ": no such file or folder; give a Hugging Face model folder (config.json, "
            "*.safetensors), a .gguf file, or the name of a downloaded model (Qwen/Qwen3-0.6B)");
    }
    return std::filesystem::is_directory(path) ? open_folder(path) : open_gguf(path);
}

Model load_model(const ModelFiles& files) {
    return files.format == "gguf" ? load_gguf(files) : load_folder(files);
}

}  // namespace assay
