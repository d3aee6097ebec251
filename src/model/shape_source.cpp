#include "model/shape_source.h"

#include "base/error.h"
#include "model/architectures.h"
#include "model/model.h"

namespace assay {

ShapeSource::ShapeSource(const ModelConfig& config) {
    for (const auto& [name, shape] : expected_tensors(config, make_blocks(config))) shapes_[name] = shape;
}

std::vector<StoredTensor> ShapeSource::tensors() const {
    std::vector<StoredTensor> all;
    for (const auto& [name, shape] : shapes_)
        all.push_back({name, "bf16", shape, 2 * static_cast<std::uint64_t>(element_count(shape))});
    return all;
}

std::string ShapeSource::place(std::string_view name) const {
    return "tensor " + std::string(name) + " of a config without weights";
}

Shape ShapeSource::shape(std::string_view name) const {
    const auto found = shapes_.find(name);
    if (found == shapes_.end()) throw FormatError(place(name) + " is missing");
    return found->second;
}

void ShapeSource::read(std::string_view name, std::int64_t /*first_row*/, MatrixView<float> /*out*/) const {
    throw InvalidArgument(place(name) + " cannot be read");
}

}  // namespace assay
