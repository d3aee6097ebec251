#include "model/safetensors_source.h"

#include <fmt/format.h>

#include "base/error.h"

namespace assay {
namespace {

constexpr std::string_view kGateUp = ".mlp.experts.gate_up_proj", kDown = ".mlp.experts.down_proj",
                           kRouter = ".mlp.gate.weight";

// The language model's name of a tensor of a multimodal class, on the hub or in transformers 5.
std::string text_name(const std::string& name) {
    constexpr std::string_view kHub = "language_model.", kFive = "model.language_model.";
    if (name.starts_with("language_model.model.") || name.starts_with("language_model.lm_head."))
        return name.substr(kHub.size());
    return name.starts_with(kFive) ? "model." + name.substr(kFive.size()) : name;
}

}  // namespace

SafetensorsSource::SafetensorsSource(SafetensorsSet set, QuantizedStorage storage,
                                     const Architecture* architecture)
    : set_(std::move(set)), storage_(std::move(storage)) {
    for (const auto& [stored, view] : set_.tensors()) {
        if (is_scale(set_.tensors(), stored)) continue;
        const Entry entry{&stored, &view, view.shape};
        const std::string name = architecture == nullptr ? stored : text_name(stored);
        if (architecture == nullptr) {
            add(name, entry);
        } else if (name.ends_with(kGateUp) || name.ends_with(kDown)) {
            add_experts(*architecture, name, entry);
        } else if (const auto router = find_gguf_name(*architecture, "ffn_gate_inp");
                   router && name.ends_with(kRouter)) {
            add(fmt::format("{}.{}.weight", name.substr(0, name.size() - kRouter.size()), *router), entry);
        } else {
            add(name, entry);
        }
    }
    for (auto& [name, entry] : entries_) {
        try {
            entry.weight = find(name);
        } catch (const Error&) {  // it may never be asked for
        }
    }
}

void SafetensorsSource::add(const std::string& name, Entry entry) {
    if (!entries_.emplace(name, std::move(entry)).second)
        throw FormatError(fmt::format("{}: two tensors stand for {}", set_.file_of(name), name));
}

void SafetensorsSource::add_experts(const Architecture& architecture, const std::string& name,
                                    const Entry& all) {
    const Shape& shape = all.shape;
    const bool both = name.ends_with(kGateUp);
    const auto down = find_gguf_name(architecture, "ffn_down_exps");
    if (!down) return add(name, all);  // a model without experts
    if (shape.size() != 3 || shape[0] > (1 << 16) || (both && shape[1] % 2 != 0)) {
        throw FormatError(fmt::format("{}: tensor {} has shape {}, expected [experts, {}, in]",
                                      set_.file_of(*all.stored), name, to_string(shape),
                                      both ? "gate and up" : "out"));
    }
    const std::string block = name.substr(0, name.size() - (both ? kGateUp : kDown).size());
    const std::int64_t rows = both ? shape[1] / 2 : shape[1];
    for (std::int64_t e = 0; e < shape[0]; ++e) {
        const auto part = [&](std::string_view hub, std::int64_t first) {
            const std::size_t star = hub.find('*');
            add(fmt::format("{}.{}{}{}.weight", block, hub.substr(0, star), e, hub.substr(star + 1)),
                {all.stored, all.view, {rows, shape[2]}, e * shape[1] + first});
        };
        if (!both) {
            part(*down, 0);
        } else {
            part(find_gguf_name(architecture, "ffn_gate_exps").value(), 0);
            part(find_gguf_name(architecture, "ffn_up_exps").value(), rows);
        }
    }
}

std::vector<StoredTensor> SafetensorsSource::tensors() const {
    std::vector<StoredTensor> all;
    for (const auto& [name, entry] : entries_) {
        const DType type = entry.view->dtype;
        StoredTensor tensor{name, std::string(dtype_name(type)), entry.shape, bytes_of(entry).size(),
                            dtype_bits(type) <= 8};
        for (const char* suffix : {"_scale", "_scale_inv"}) {
            const auto scales = set_.tensors().find(*entry.stored + suffix);
            if (scales != set_.tensors().end()) tensor.bytes += scales->second.bytes.size();
        }
        all.push_back(std::move(tensor));
    }
    return all;
}

// A missing tensor's own name shows in which other way it may be stored.
ScaledWeight SafetensorsSource::find(std::string_view name) const {
    const auto found = entries_.find(name);
    if (found != entries_.end() && found->second.weight) return *found->second.weight;
    return find_weight(set_.tensors(), found == entries_.end() ? name : *found->second.stored, storage_,
                       place(name));
}

Shape SafetensorsSource::shape(std::string_view name) const {
    find(name);  // throws where it cannot be read
    return entries_.find(name)->second.shape;
}

std::string SafetensorsSource::place(std::string_view name) const {
    const auto found = entries_.find(name);
    return fmt::format("{}: tensor {}", set_.file_of(found == entries_.end() ? name : *found->second.stored),
                       name);
}

void SafetensorsSource::read(std::string_view name, std::int64_t first_row, MatrixView<float> out) const {
    const ScaledWeight weight = find(name);
    const Entry& entry = entries_.find(name)->second;
    const Shape& shape = entry.shape;
    const std::int64_t cols = shape.empty() ? 1 : shape.back(),
                       rows = cols == 0 ? 0 : element_count(shape) / cols;
    if (out.cols() != cols || first_row < 0 || out.rows() > rows - first_row) {
        throw InvalidArgument(fmt::format("{} {}: rows {}+{} of {} columns were asked for", place(name),
                                          to_string(shape), first_row, out.rows(), out.cols()));
    }
    read_rows(weight, entry.first_row + first_row, out);
}

std::span<const std::byte> SafetensorsSource::bytes_of(const Entry& entry) const {
    const Shape& whole = entry.view->shape;
    if (entry.shape == whole) return entry.view->bytes;
    const std::int64_t rows = whole[0] * whole[1];
    if (rows == 0) return {};
    const std::size_t row_bytes = entry.view->bytes.size() / static_cast<std::size_t>(rows);
    return entry.view->bytes.subspan(static_cast<std::size_t>(entry.first_row) * row_bytes,
                                     static_cast<std::size_t>(entry.shape[0]) * row_bytes);
}

void SafetensorsSource::fetch(std::string_view name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end() || found->second.view->bytes.empty()) return;
    const auto bytes = bytes_of(found->second);
    set_.mapping_of(bytes)->fetch(bytes);
}

void SafetensorsSource::release(std::string_view name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end() || found->second.view->bytes.empty()) return;
    const auto bytes = bytes_of(found->second);
    set_.mapping_of(bytes)->release(bytes);
}

}  // namespace assay
