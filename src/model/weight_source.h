// Where a model's weights come from: a safetensors folder, a GGUF file, later any quantized checkpoint.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/matrix.h"
#include "tensor/shape.h"

namespace assay {

// One stored tensor as `inspect` lists it.
struct StoredTensor {
    std::string name;         // as in Hugging Face, where the source can tell
    std::string type;         // as stored: "bf16", "Q4_1"
    Shape shape;              // slowest dimension first
    std::uint64_t bytes = 0;  // with its scales
    bool quantized = false;   // a type of few bits: reading it does not give the weights it was made from
};

// Names and row order are Hugging Face's, whatever the file holds. Reading is thread-safe.
class WeightSource {
  public:
    virtual ~WeightSource() = default;

    // All tensors, sorted by name.
    virtual std::vector<StoredTensor> tensors() const = 0;

    virtual bool contains(std::string_view name) const = 0;

    // Throws FormatError where the tensor is missing.
    virtual Shape shape(std::string_view name) const = 0;

    // What errors call a tensor: its file and name.
    virtual std::string place(std::string_view name) const = 0;

    // Rows [first_row, first_row + out.rows()) of a tensor [rows, cols] as f32, exactly as stored (f64 and
    // products with scales are rounded); a vector is one row. Throws FormatError for a missing tensor or a
    // type that cannot be decoded, InvalidArgument for a wrong shape.
    virtual void read(std::string_view name, std::int64_t first_row, MatrixView<float> out) const = 0;

    // Reads a tensor from the disk into the system's cache, ahead of its use; takes its pages out of this
    // process's memory after it. Neither changes what read() gives; a tensor that is missing, or that lies in
    // memory anyway, is left alone.
    virtual void fetch(std::string_view /*name*/) const {}
    virtual void release(std::string_view /*name*/) const {}
};

}  // namespace assay
