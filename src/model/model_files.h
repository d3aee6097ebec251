// Opens what a user calls a model: a Hugging Face folder, a GGUF file, or the name of a downloaded model.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "model/model.h"

namespace assay {

// A model's files, opened and checked as files; whether Assay can run the model is known only to
// load_model().
struct ModelFiles {
    std::filesystem::path path;
    std::string format;                        // "safetensors" or "gguf"
    std::string architecture;                  // as the files name it: "LlamaForCausalLM", "llama"
    std::vector<std::filesystem::path> files;  // what was read: weights, index, config
    std::shared_ptr<const WeightSource> weights;
};

// A path that exists, or a name such as "Qwen/Qwen3-0.6B" or "Qwen/Qwen3-0.6B@main", which is looked for in
// the local Hugging Face cache (model/hub_cache.h).
// Throws FormatError naming what is missing or broken in the files, with the command that downloads them.
ModelFiles open_model_files(const std::filesystem::path& path);

// The model in those files. Throws Unsupported for an architecture, rope scaling or quantized checkpoint that
// Assay cannot run, FormatError where config and tensors do not fit together.
Model load_model(const ModelFiles& files);

// A model of a folder's config.json alone, whose weights have shapes but cannot be read. Throws as
// load_model().
Model load_model_shapes(const std::filesystem::path& folder);

// Path of config.json in a folder.
std::filesystem::path config_path(const std::filesystem::path& folder);

}  // namespace assay
