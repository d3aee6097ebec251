// A config.json from a model's numbers: what the families' parsers read, written back.
#pragma once

#include "container/json.h"
#include "model/config.h"

namespace assay {

// All keys that transformers needs besides token ids and torch_dtype; parse_hf of it gives `config` again,
// but for two things that GGUF has its own way: f32 numbers are the shortest decimals of the same f32 (1e-05
// for 9.99999975e-06), and divisors of rope frequencies are the llama3 scaling of the released models that
// gives the same frequencies. Throws Unsupported for a model that no config.json of its architecture
// describes.
Json write_hf_config(const ModelConfig& config);

}  // namespace assay
