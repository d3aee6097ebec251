// Where two models of one architecture differ: tensor by tensor, and in the numbers of their configs.
#pragma once

#include <string>
#include <vector>

#include "model/pass.h"
#include "records/blame.h"

namespace assay {

// Throws FormatError, naming both models and the first difference, unless both have the same sizes, the same
// vocabulary, and tensors of the same names and shapes. Architectures of two names that compute the same from
// the same tensors are the same.
void expect_same_shapes(const Model& reference, const Model& other);

// ‖Q - W‖ / ‖W‖ of each item that differs, Q the other model's, in the order of the items. Throws
// NumericError at a NaN or Inf of either.
std::vector<TensorDifference> linear_differences(const Model& reference, const Model& other,
                                                 const Engine& engine);

// The same of norms (as they are applied, with the config's offset) and biases.
std::vector<TensorDifference> vector_differences(const Model& reference, const Model& other);

// Numbers that change what the models compute, in words: "rms_eps is 1e-06, in the reference 1e-05".
std::vector<std::string> config_differences(const Model& reference, const Model& other);

// The reference's linears, embedding and head in the other model: what the rest of it does. Both must outlive
// it.
Model with_other_rest(const Model& reference, const Model& other);

}  // namespace assay
