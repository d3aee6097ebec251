// A config.json from a model's numbers: what the families' parsers read, written back.
#pragma once

#include "container/json.h"
#include "model/config.h"

namespace assay {

// All keys that transformers needs besides token ids and torch_dtype; parse_hf of it gives `config` again,
// GGUF's llama3 divisors apart: the scaling of the released models that gives the same frequencies stands for
// them. Throws Unsupported for divisors that no known scaling gives.
Json write_hf_config(const ModelConfig& config);

}  // namespace assay
