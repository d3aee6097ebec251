#include "model/safetensors_source.h"

#include <fmt/format.h>

#include "base/error.h"

namespace assay {

std::vector<StoredTensor> SafetensorsSource::tensors() const {
    std::vector<StoredTensor> all;
    for (const auto& [name, view] : set_.tensors()) {
        all.push_back({name, std::string(dtype_name(view.dtype)), view.shape, view.bytes.size()});
    }
    return all;
}

const TensorView& SafetensorsSource::find(std::string_view name) const {
    const auto found = set_.tensors().find(name);
    if (found == set_.tensors().end()) throw FormatError(place(name) + " is missing");
    return found->second;
}

std::string SafetensorsSource::place(std::string_view name) const {
    return fmt::format("{}: tensor {}", set_.file_of(name), name);
}

void SafetensorsSource::read(std::string_view name, std::int64_t first_row, MatrixView<float> out) const {
    const TensorView& view = find(name);
    const std::int64_t cols = view.shape.empty() ? 1 : view.shape.back(),
                       rows = cols == 0 ? 0 : element_count(view.shape) / cols;
    if (out.cols() != cols || first_row < 0 || out.rows() > rows - first_row) {
        throw InvalidArgument(fmt::format("{} {}: rows {}+{} of {} columns were asked for", place(name),
                                          to_string(view.shape), first_row, out.rows(), out.cols()));
    }
    if (view.dtype != DType::kF32 && view.dtype != DType::kF16 && view.dtype != DType::kBF16) {
        throw Unsupported(
            fmt::format("{} is stored as {}, which cannot be read as weights; f32, f16 and bf16 can",
                        place(name), dtype_name(view.dtype)));
    }
    for (std::int64_t r = 0; r < out.rows(); ++r) to_f32(view, (first_row + r) * cols, out.row(r));
}

}  // namespace assay
