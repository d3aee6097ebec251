#include "model/gguf_source.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"

namespace assay {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kBlockNames{{
    {"attn_norm", "input_layernorm"},
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
}};

constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kOuterNames{{
    {"token_embd", "model.embed_tokens"},
    {"output_norm", "model.norm"},
    {"output", "lm_head"},
}};

template <std::size_t N>
std::optional<std::string_view> look_up(
    const std::array<std::pair<std::string_view, std::string_view>, N>& table, std::string_view name) {
    for (const auto& [from, to] : table) {
        if (from == name) return to;
    }
    return std::nullopt;
}

// "blk.3.attn_q.weight" -> "model.layers.3.self_attn.q_proj.weight"; names without an equal stay as they are.
std::string hf_name(std::string_view name) {
    const std::size_t dot = name.rfind('.');
    if (dot == std::string_view::npos) return std::string(name);
    const std::string_view stem = name.substr(0, dot), suffix = name.substr(dot);
    if (!stem.starts_with("blk.")) {
        const auto outer = look_up(kOuterNames, stem);
        return outer ? std::string(*outer) + std::string(suffix) : std::string(name);
    }
    const std::size_t second = stem.find('.', 4);
    if (second == std::string_view::npos) return std::string(name);
    const auto inner = look_up(kBlockNames, stem.substr(second + 1));
    return inner ? fmt::format("model.layers.{}.{}{}", stem.substr(4, second - 4), *inner, suffix)
                 : std::string(name);
}

bool contains_part(std::string_view name, std::string_view part) {
    return name.find(part) != std::string_view::npos;
}

}  // namespace

GgufSource::GgufSource(std::shared_ptr<const GgufFile> file, bool permuted_qk) : file_(std::move(file)) {
    const std::string prefix = std::string(file_->find_string("general.architecture").value_or("")) + ".";
    const auto heads =
        static_cast<std::int64_t>(file_->find_uint(prefix + "attention.head_count").value_or(0));
    const auto kv_heads = static_cast<std::int64_t>(
        file_->find_uint(prefix + "attention.head_count_kv").value_or(static_cast<std::uint64_t>(heads)));
    for (const auto& [name, tensor] : file_->tensors()) {
        const std::string own = hf_name(name);
        Entry entry{&tensor, 0};
        const std::int64_t sharing = contains_part(own, ".q_proj.")   ? heads
                                     : contains_part(own, ".k_proj.") ? kv_heads
                                                                      : 0;
        if (permuted_qk && sharing > 0 && !tensor.shape.empty()) {
            if (tensor.shape[0] % sharing != 0 || tensor.shape[0] / sharing % 2 != 0) {
                throw FormatError(fmt::format("{}: tensor {} {} does not divide into {} heads of pairs",
                                              file_->what(), name, to_string(tensor.shape), sharing));
            }
            entry.head_dim = tensor.shape[0] / sharing;
        }
        if (!tensors_.emplace(own, entry).second) {
            throw FormatError(fmt::format("{}: two tensors stand for {}", file_->what(), own));
        }
    }
}

std::vector<StoredTensor> GgufSource::tensors() const {
    std::vector<StoredTensor> all;
    for (const auto& [name, entry] : tensors_) {
        const auto info = find_ggml_type(static_cast<std::uint32_t>(entry.tensor->type));
        all.push_back(
            {name, info ? std::string(info->name) : "?", entry.tensor->shape, entry.tensor->bytes.size()});
    }
    return all;
}

const GgufSource::Entry& GgufSource::find(std::string_view name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) throw FormatError(place(name) + " is missing");
    return found->second;
}

Shape GgufSource::shape(std::string_view name) const {
    return find(name).tensor->shape;
}

// new[2i + s] = old[s·d/2 + i] within a head of size d (llama.cpp, convert_hf_to_gguf.py, permute).
std::int64_t GgufSource::file_row(const Entry& entry, std::int64_t row) {
    if (entry.head_dim == 0) return row;
    const std::int64_t in_head = row % entry.head_dim, half = entry.head_dim / 2;
    return row - in_head + 2 * (in_head % half) + in_head / half;
}

std::string GgufSource::place(std::string_view name) const {
    return fmt::format("{}: tensor {}", file_->what(), name);
}

void GgufSource::read(std::string_view name, std::int64_t first_row, MatrixView<float> out) const {
    const Entry& entry = find(name);
    const Shape& shape = entry.tensor->shape;
    const std::int64_t cols = shape.empty() ? 1 : shape.back(),
                       rows = cols == 0 ? 0 : element_count(shape) / cols;
    if (out.cols() != cols || first_row < 0 || out.rows() > rows - first_row) {
        throw InvalidArgument(fmt::format("{} {}: rows {}+{} of {} columns were asked for", place(name),
                                          to_string(shape), first_row, out.rows(), out.cols()));
    }
    try {
        decode_rows(entry, first_row, out);
    } catch (const Unsupported& e) {
        throw Unsupported(fmt::format("{}: {}", place(name), e.what()));
    }
}

void GgufSource::decode_rows(const Entry& entry, std::int64_t first_row, MatrixView<float> out) {
    const Shape& shape = entry.tensor->shape;
    if (shape.size() <= 1 && entry.head_dim != 0) {  // a permuted bias: its elements are the rows
        std::vector<float> stored(static_cast<std::size_t>(out.cols()));
        decode_ggml(entry.tensor->type, entry.tensor->bytes, stored);
        for (std::int64_t i = 0; i < out.cols(); ++i)
            out(0, i) = stored[static_cast<std::size_t>(file_row(entry, i))];
        return;
    }
    const std::int64_t rows = out.cols() == 0 ? 0 : element_count(shape) / out.cols();
    const std::size_t row_bytes = rows == 0 ? 0 : entry.tensor->bytes.size() / static_cast<std::size_t>(rows);
    for (std::int64_t r = 0; r < out.rows(); ++r) {
        const auto at = static_cast<std::size_t>(file_row(entry, first_row + r)) * row_bytes;
        decode_ggml(entry.tensor->type, entry.tensor->bytes.subspan(at, row_bytes), out.row(r));
    }
}

}  // namespace assay
