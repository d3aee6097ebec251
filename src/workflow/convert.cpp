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
#include "model/architectures.h"
#include "model/architectures/hf_writer.h"
#include "model/model_files.h"
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

Json make_config(const ModelConfig& model, const GgufVocabulary& vocabulary) {
    const auto id = [](const std::optional<std::int32_t>& value) { return value ? Json(*value) : Json(); };
    Json config = write_hf_config(model);
    config["bos_token_id"] = id(vocabulary.bos_id);
    config["eos_token_id"] = id(vocabulary.eos_id);
    return config;
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
        const std::string what = config_path(files.path).string();
        config = text_config(parse_json(read_file(config_path(files.path)), what), what);
        for (const char* key : {"dtype", "quantization_config", "compression_config"}) config.erase(key);
        for (const char* name : {"tokenizer.json", "tokenizer.model", "tokenizer_config.json",
                                 "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
                                 "chat_template.jinja", "generation_config.json"}) {
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
