#include "model/model_files.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/mapped_file.h"
#include "container/gguf.h"
#include "container/safetensors.h"
#include "model/architectures.h"
#include "model/gguf_source.h"
#include "model/safetensors_source.h"

namespace assay {
namespace {

constexpr std::size_t kMaxConfigBytes = std::size_t{16} << 20;

Json read_config(const std::filesystem::path& folder) {
    const auto path = config_path(folder);
    if (!std::filesystem::exists(path)) {
        throw FormatError(folder.string() +
                          ": no config.json; expected a Hugging Face model folder or a .gguf file");
    }
    return parse_json(read_file(path, kMaxConfigBytes), path.string());
}

std::string hf_architecture(const Json& config, const std::string& what) {
    const Json& names = require_array(config, "architectures", what);
    if (names.empty()) throw FormatError(what + ": \"architectures\" is empty; expected one class name");
    return as_string(names[0], json_path(what, "architectures"));
}

void refuse_quantized(const Json& config, const std::string& what) {
    const Json* quantization = optional_object(config, "quantization_config", what);
    if (quantization == nullptr) return;
    const auto method = optional_string(*quantization, "quant_method", what).value_or("unknown");
    throw Unsupported(fmt::format(
        "{}: this is a quantized checkpoint (quant_method {}); give the full-precision model instead", what,
        method));
}

ModelFiles open_folder(const std::filesystem::path& path) {
    const Json config = read_config(path);
    ModelFiles files{path,
                     "safetensors",
                     hf_architecture(config, config_path(path).string()),
                     {config_path(path)},
                     nullptr};
    auto source = std::make_shared<SafetensorsSource>(SafetensorsSet::open(path));
    files.files.insert(files.files.end(), source->set().files().begin(), source->set().files().end());
    files.weights = std::move(source);
    return files;
}

ModelFiles open_gguf(const std::filesystem::path& path) {
    const auto file = std::make_shared<const GgufFile>(GgufFile::open(path));
    const std::string architecture(file->require_string("general.architecture"));
    bool permuted = false;
    for (const Architecture& row : architectures())
        permuted = permuted || (row.gguf_name == architecture && row.gguf_permutes_qk);
    return {path, "gguf", architecture, {path}, std::make_shared<GgufSource>(file, permuted)};
}

Model load_folder(const ModelFiles& files) {
    const std::string what = config_path(files.path).string();
    const Architecture& row = find_hf_architecture(files.architecture, what);
    const Json config = read_config(files.path);
    refuse_quantized(config, what);
    ModelConfig parsed = row.parse_hf(config, what);
    parsed.architecture = row.hf_name;
    validate(parsed, what);
    return {files.path.string(), parsed, row.block(parsed), files.weights};
}

// One number a frequency, or none where the file has no such tensor.
std::vector<float> read_rope_divisors(const WeightSource& weights, std::int64_t frequencies,
                                      const std::string& what) {
    const std::string name = "rope_freqs.weight";
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

Model load_gguf(const ModelFiles& files) {
    const std::string what = files.path.string();
    const Architecture& row = find_gguf_architecture(files.architecture, what);
    ModelConfig parsed = row.parse_gguf(GgufFile::open(files.path));
    parsed.architecture = row.hf_name;
    validate(parsed, what);
    parsed.rope.divisors = read_rope_divisors(*files.weights, parsed.head_dim / 2, what);
    return {what, parsed, row.block(parsed), files.weights};
}

}  // namespace

std::filesystem::path config_path(const std::filesystem::path& folder) {
    return folder / "config.json";
}

ModelFiles open_model_files(const std::filesystem::path& path) {
    if (!std::filesystem::exists(path)) {
        throw FormatError(path.string() +
                          ": no such file or folder; give a Hugging Face model folder (config.json, "
                          "*.safetensors) or a .gguf file");
    }
    return std::filesystem::is_directory(path) ? open_folder(path) : open_gguf(path);
}

Model load_model(const ModelFiles& files) {
    return files.format == "gguf" ? load_gguf(files) : load_folder(files);
}

}  // namespace assay
