#include "model/safetensors_source.h"

#include <fmt/format.h>

#include "base/error.h"

namespace assay {

std::vector<StoredTensor> SafetensorsSource::tensors() const {
    std::vector<StoredTensor> all;
    for (const auto& [name, view] : set_.tensors()) {
        if (is_scale(set_.tensors(), name)) continue;
        StoredTensor tensor{name, std::string(dtype_name(view.dtype)), view.shape, view.bytes.size(),
                            dtype_bits(view.dtype) <= 8};
        for (const char* suffix : {"_scale", "_scale_inv"}) {
            const auto scales = set_.tensors().find(name + suffix);
            if (scales != set_.tensors().end()) tensor.bytes += scales->second.bytes.size();
        }
        all.push_back(std::move(tensor));
    }
    return all;
}

ScaledWeight SafetensorsSource::find(std::string_view name) const {
    return find_weight(set_.tensors(), name, storage_, place(name));
}

std::string SafetensorsSource::place(std::string_view name) const {
    return fmt::format("{}: tensor {}", set_.file_of(name), name);
}

void SafetensorsSource::read(std::string_view name, std::int64_t first_row, MatrixView<float> out) const {
    const ScaledWeight weight = find(name);
    const Shape& shape = weight.numbers->shape;
    const std::int64_t cols = shape.empty() ? 1 : shape.back(),
                       rows = cols == 0 ? 0 : element_count(shape) / cols;
    if (out.cols() != cols || first_row < 0 || out.rows() > rows - first_row) {
        throw InvalidArgument(fmt::format("{} {}: rows {}+{} of {} columns were asked for", place(name),
                                          to_string(shape), first_row, out.rows(), out.cols()));
    }
    read_rows(weight, first_row, out);
}

}  // namespace assay
