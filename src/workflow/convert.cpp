// The verb convert: any readable model to a Hugging Face folder.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/mapped_file.h"
#include "container/gguf.h"
#include "container/safetensors_writer.h"
#include "model/model_files.h"
#include "model/rope.h"
#include "tensor/tensor_view.h"
#include "text/gguf_tokenizer_json.h"
#include "text/gguf_vocabulary.h"
#include "workflow/workflow.h"

namespace assay {
namespace {

constexpr std::int64_t kRowsPerPiece = 1024;

struct OutputType {
    const char* name;
    DType dtype;
    const char* torch;
};
constexpr OutputType kOutputTypes[] = {
    {"bf16", DType::kBF16, "bfloat16"}, {"f16", DType::kF16, "float16"}, {"f32", DType::kF32, "float32"}};

const OutputType& output_type(const std::string& name) {
    for (const OutputType& type : kOutputTypes) {
        if (name == type.name) return type;
    }
    throw InvalidArgument("--dtype " + name + " is unknown; bf16, f16 and f32 can be written");
}

// Tensors that the model uses, in the names and shapes of Hugging Face.
std::vector<TensorDeclaration> declare(const Model& model, DType dtype) {
    std::vector<TensorDeclaration> tensors;
    const auto add = [&](const std::string& name) {
        tensors.push_back({name, dtype, model.weights().shape(name)});
    };
    for (const LinearItem& item : model.items()) add(item.name + ".weight");
    for (const std::string& name : model.vector_names()) add(name);
    return tensors;
}

void expect_finite(std::span<const float> values, const std::string& place) {
    if (std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) return;
    throw NumericError(place + ": NaN or Inf in the weights; nothing was written");
}

// Streams one tensor, a piece of rows at a time.
void write_tensor(const Model& model, const TensorDeclaration& tensor, SafetensorsWriter& writer) {
    const std::int64_t cols = tensor.shape.back(), rows = element_count(tensor.shape) / cols;
    for (std::int64_t first = 0; first < rows; first += kRowsPerPiece) {
        Matrix<float> piece(std::min(kRowsPerPiece, rows - first), cols);
        model.weights().read(tensor.name, first, piece.view());
        expect_finite(piece.values(), model.weights().place(tensor.name));
        std::vector<std::byte> bytes(piece.values().size() *
                                     static_cast<std::size_t>(dtype_bits(tensor.dtype)) / 8);
        try {
            from_f32(piece.values(), tensor.dtype, bytes);
        } catch (const NumericError& e) {
            throw NumericError(model.weights().place(tensor.name) + ": " + e.what());
        }
        writer.write(tensor.name, bytes);
    }
}

void write_tensors(const Model& model, DType dtype, const std::filesystem::path& path, Progress& progress,
                   const CancelToken& cancel) {
    SafetensorsWriter writer(path, declare(model, dtype));
    std::uint64_t total = 0;
    for (const TensorDeclaration& t : writer.order())
        total += static_cast<std::uint64_t>(element_count(t.shape));
    progress.begin("converting", total);
    for (const TensorDeclaration& t : writer.order()) {
        write_tensor(model, t, writer);
        progress.advance(static_cast<std::uint64_t>(element_count(t.shape)));
        cancel.check();
    }
    writer.commit();
    progress.end();
}

Json llama3_json(const RopeConfig& rope) {
    return {{"rope_type", "llama3"},
            {"factor", rope.factor},
            {"low_freq_factor", rope.low_freq_factor},
            {"high_freq_factor", rope.high_freq_factor},
            {"original_max_position_embeddings", static_cast<std::int64_t>(rope.original_max_positions)}};
}

// GGUF keeps llama3 scaling as divisors only. The parameters of the released models are tried; whichever
// gives the same frequencies is what the file was made from.
Json scaling_of_divisors(const ModelConfig& config) {
    const auto wanted = rope_frequencies(config.rope, config.head_dim);
    for (double factor : {8.0, 32.0}) {
        RopeConfig tried{config.rope.theta, RopeConfig::Scaling::kLlama3, factor, 1, 4, 8192, {}};
        const auto frequencies = rope_frequencies(tried, config.head_dim);
        bool same = true;
        for (std::size_t i = 0; i < wanted.size(); ++i)
            same = same && std::abs(frequencies[i] - wanted[i]) <= 1e-5f * wanted[i];
        if (same) return llama3_json(tried);
    }
    throw Unsupported(
        "rope_freqs.weight holds frequency divisors that no known rope_scaling of a config.json gives");
}

Json rope_scaling(const ModelConfig& config) {
    if (!config.rope.divisors.empty()) return scaling_of_divisors(config);
    switch (config.rope.scaling) {
        case RopeConfig::Scaling::kNone:
            return nullptr;
        case RopeConfig::Scaling::kLinear:
            return {{"rope_type", "linear"}, {"factor", config.rope.factor}};
        case RopeConfig::Scaling::kLlama3:
            return llama3_json(config.rope);
    }
    return nullptr;
}

// The shortest decimal of an f32: GGUF's 9.99999975e-06 is the 1e-05 that its maker read.
double shortest(double value) {
    return std::stod(fmt::format("{}", static_cast<float>(value)));
}

Json make_config(const ModelConfig& c, const GgufVocabulary& vocabulary) {
    const auto id = [](const std::optional<std::int32_t>& value) { return value ? Json(*value) : Json(); };
    return {{"architectures", {c.architecture}},
            {"model_type", "llama"},
            {"hidden_size", c.hidden},
            {"intermediate_size", c.intermediate},
            {"num_hidden_layers", c.layers},
            {"num_attention_heads", c.heads},
            {"num_key_value_heads", c.kv_heads},
            {"head_dim", c.head_dim},
            {"vocab_size", c.vocabulary},
            {"max_position_embeddings", c.max_positions},
            {"rms_norm_eps", shortest(c.rms_eps)},
            {"rope_theta", shortest(c.rope.theta)},
            {"rope_scaling", rope_scaling(c)},
            {"tie_word_embeddings", c.tied_head},
            {"attention_bias", c.attention_bias},
            {"mlp_bias", c.mlp_bias},
            {"hidden_act", "silu"},
            {"bos_token_id", id(vocabulary.bos_id)},
            {"eos_token_id", id(vocabulary.eos_id)}};
}

// Config and tokenizer files beside the weights.
void write_companions(const ModelFiles& files, const Model& model, const char* torch_dtype,
                      const std::filesystem::path& out) {
    Json config;
    if (files.format == "gguf") {
        const GgufFile file = GgufFile::open(files.path);
        const GgufVocabulary vocabulary = read_gguf_vocabulary(file);
        config = make_config(model.config(), vocabulary);
        write_file(out / "tokenizer.json", gguf_tokenizer_json(vocabulary, files.path.string()).dump(1));
    } else {
        config = parse_json(read_file(config_path(files.path)), config_path(files.path).string());
        config.erase("dtype");
        for (const char* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                                 "generation_config.json"}) {
            if (std::filesystem::exists(files.path / name))
                write_file(out / name, read_file(files.path / name));
        }
    }
    config["torch_dtype"] = torch_dtype;
    write_file(config_path(out), config.dump(2) + "\n");
}

}  // namespace

std::filesystem::path convert_model(const ConvertOptions& options, Progress& progress,
                                    const CancelToken& cancel) {
    const OutputType& type = output_type(options.dtype);
    const ModelFiles files = open_model_files(options.model);
    const Model model = load_model(files);
    AtomicFolder folder(options.output);
    write_companions(files, model, type.torch, folder.path());
    write_tensors(model, type.dtype, folder.path() / "model.safetensors", progress, cancel);
    folder.commit();
    return options.output;
}

}  // namespace assay
