#include "workflow/tokenizer_files.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/mapped_file.h"
#include "container/gguf.h"
#include "text/gguf_vocabulary.h"
#include "text/sentencepiece_model.h"
#include "text/tokenizer_config.h"

namespace assay {
namespace {

// Real ones take a tenth of these at most.
constexpr std::size_t kMaxTokenizerBytes = std::size_t{256} << 20;
constexpr std::size_t kMaxConfigBytes = std::size_t{16} << 20;

TokenizerConfig load_config(const std::filesystem::path& folder) {
    const auto path = folder / "tokenizer_config.json";
    if (!std::filesystem::exists(path)) return {};
    return parse_tokenizer_config(read_file(path, kMaxConfigBytes), path.string());
}

}  // namespace

bool has_tokenizer(const ModelFiles& files) {
    if (files.format == "gguf") return GgufFile::open(files.path).contains("tokenizer.ggml.model");
    return std::filesystem::exists(files.path / "tokenizer.json") ||
           std::filesystem::exists(files.path / "tokenizer.model");
}

Tokenizer load_tokenizer(const ModelFiles& files) {
    if (files.format == "gguf") {
        return Tokenizer::from_gguf(read_gguf_vocabulary(GgufFile::open(files.path)), files.path.string());
    }
    const auto json = files.path / "tokenizer.json";
    if (std::filesystem::exists(json))
        return Tokenizer::from_json(read_file(json, kMaxTokenizerBytes), json.string(),
                                    load_config(files.path));
    const auto model = files.path / "tokenizer.model";
    if (std::filesystem::exists(model)) {
        const auto parsed = parse_sentencepiece_model(read_file(model, kMaxTokenizerBytes), model.string());
        return Tokenizer::from_sentencepiece(parsed, load_config(files.path), model.string());
    }
    throw FormatError(fmt::format(
        "{}: neither tokenizer.json nor tokenizer.model is there; put one of the model's there, or give "
        "token ids with --ids",
        files.path.string()));
}

}  // namespace assay
