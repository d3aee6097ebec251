#include "model/gguf_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"

namespace assay {
namespace {

using Name = std::pair<std::string_view, std::string_view>;

// Names that the families share; an architecture's own come first.
constexpr std::array<Name, 9> kBlockNames{{
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

constexpr std::array<Name, 3> kOuterNames{{
    {"token_embd", "model.embed_tokens"},
    {"output_norm", "model.norm"},
    {"output", "lm_head"},
}};

std::optional<std::string_view> look_up(std::span<const Name> table, std::string_view name) {
    for (const auto& [from, to] : table) {
        if (from == name) return to;
    }
    return std::nullopt;
}

// Old files have a tensor for each expert: "ffn_gate.3" is expert 3 of "ffn_gate_exps".
std::optional<std::string> expert_name(const Architecture& architecture, std::string_view name) {
    const std::size_t dot = name.rfind('.');
    if (dot == std::string_view::npos || dot + 1 == name.size()) return std::nullopt;
    const std::string_view expert = name.substr(dot + 1);
    const bool number =
        std::all_of(expert.begin(), expert.end(), [](char c) { return c >= '0' && c <= '9'; });
    const auto all = find_gguf_name(architecture, fmt::format("{}_exps", name.substr(0, dot)));
    if (!number || !all) return std::nullopt;
    const std::size_t star = all->find('*');
    return fmt::format("{}{}{}", all->substr(0, star), expert, all->substr(star + 1));
}

std::optional<std::string> block_name(const Architecture* architecture, std::string_view name) {
    if (architecture != nullptr) {
        if (const auto own = find_gguf_name(*architecture, name)) return std::string(*own);
        if (auto expert = expert_name(*architecture, name)) return expert;
    }
    const auto shared = look_up(kBlockNames, name);
    return shared ? std::optional(std::string(*shared)) : std::nullopt;
}

// "blk.3.attn_q.weight" -> "model.layers.3.self_attn.q_proj.weight"; names without an equal stay as they are.
std::string hf_name(const Architecture* architecture, std::string_view name) {
    const std::size_t dot = name.rfind('.');
    if (dot == std::string_view::npos) return std::string(name);
    const std::string_view stem = name.substr(0, dot), suffix = name.substr(dot);
    if (!stem.starts_with("blk.")) {
        const auto outer = look_up(kOuterNames, stem);
        return outer ? std::string(*outer) + std::string(suffix) : std::string(name);
    }
    const std::size_t second = stem.find('.', 4);
    if (second == std::string_view::npos) return std::string(name);
    const auto inner = block_name(architecture, stem.substr(second + 1));
    return inner ? fmt::format("model.layers.{}.{}{}", stem.substr(4, second - 4), *inner, suffix)
                 : std::string(name);
}

bool contains_part(std::string_view name, std::string_view part) {
    return name.find(part) != std::string_view::npos;
}

}  // namespace

GgufSource::GgufSource(std::shared_ptr<const GgufFile> file, const Architecture* architecture)
    : file_(std::move(file)), architecture_(architecture) {
    for (const auto& [name, tensor] : file_->tensors()) add(hf_name(architecture, name), tensor);
}

void GgufSource::insert(const std::string& name, Entry entry) {
    if (!tensors_.emplace(name, std::move(entry)).second)
        throw FormatError(fmt::format("{}: two tensors stand for {}", file_->what(), name));
}

void GgufSource::add(const std::string& name, const GgufTensor& tensor) {
    if (contains_part(name, ".experts.*.")) return add_experts(name, tensor);
    Entry entry{&tensor, tensor.shape};
    const bool norm = contains_part(name, "norm.");
    if (norm && architecture_ != nullptr && architecture_->gguf_shifts_norms) entry.offset = -1;
    // llama.cpp keeps the one row of this gate as a vector
    if (name.ends_with(".shared_expert_gate.weight") && tensor.shape.size() == 1)
        entry.shape = {1, tensor.shape[0]};
    const bool q = contains_part(name, ".q_proj."), k = contains_part(name, ".k_proj.");
    if (architecture_ != nullptr && architecture_->gguf_permutes_qk && (q || k) && !tensor.shape.empty()) {
        const std::string prefix = std::string(file_->require_string("general.architecture")) + ".";
        const auto heads = file_->find_uint(prefix + "attention.head_count").value_or(0);
        const auto sharing = static_cast<std::int64_t>(
            q ? heads : file_->find_uint(prefix + "attention.head_count_kv").value_or(heads));
        if (sharing <= 0 || tensor.shape[0] % sharing != 0 || tensor.shape[0] / sharing % 2 != 0) {
            throw FormatError(fmt::format("{}: tensor {} {} does not divide into {} heads of pairs",
                                          file_->what(), name, to_string(tensor.shape), sharing));
        }
        entry.head_dim = tensor.shape[0] / sharing;
    }
    insert(name, std::move(entry));
}

void GgufSource::add_experts(const std::string& name, const GgufTensor& tensor) {
    if (tensor.shape.size() != 3 || tensor.shape[0] > (1 << 16)) {
        throw FormatError(fmt::format("{}: tensor {} has shape {}, expected [experts, out, in]",
                                      file_->what(), name, to_string(tensor.shape)));
    }
    const std::size_t star = name.find('*');
    for (std::int64_t e = 0; e < tensor.shape[0]; ++e) {
        const std::string own = name.substr(0, star) + std::to_string(e) + name.substr(star + 1);
        insert(own, {&tensor, {tensor.shape[1], tensor.shape[2]}, e * tensor.shape[1]});
    }
}

std::vector<StoredTensor> GgufSource::tensors() const {
    std::vector<StoredTensor> all;
    for (const auto& [name, entry] : tensors_) {
        const auto info = find_ggml_type(static_cast<std::uint32_t>(entry.tensor->type));
        const std::int64_t whole = element_count(entry.tensor->shape), own = element_count(entry.shape);
        const std::uint64_t bytes =
            own == 0 ? 0 : entry.tensor->bytes.size() / static_cast<std::uint64_t>(whole / own);
        all.push_back(
            {name, info ? std::string(info->name) : "?", entry.shape, bytes, info && info->quantized()});
    }
    return all;
}

const GgufSource::Entry& GgufSource::find(std::string_view name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) throw FormatError(place(name) + " is missing");
    return found->second;
}

Shape GgufSource::shape(std::string_view name) const {
    return find(name).shape;
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
    const Shape& shape = entry.shape;
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
    if (entry.offset == 0) return;
    for (std::int64_t r = 0; r < out.rows(); ++r) {
        for (float& v : out.row(r)) v += entry.offset;
    }
}

// An expert's own part of the tensor of all experts, or the whole tensor.
std::span<const std::byte> GgufSource::bytes_of(std::string_view name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) return {};
    const auto bytes = found->second.tensor->bytes;
    const Shape& whole = found->second.tensor->shape;
    if (whole.size() != 3 || whole[0] == 0) return bytes;
    const std::size_t own = bytes.size() / static_cast<std::size_t>(whole[0]);
    return bytes.subspan(
        static_cast<std::size_t>(found->second.first_row / std::max<std::int64_t>(whole[1], 1)) * own, own);
}

void GgufSource::fetch(std::string_view name) const {
    if (file_->mapping() != nullptr) file_->mapping()->fetch(bytes_of(name));
}

void GgufSource::release(std::string_view name) const {
    if (file_->mapping() != nullptr) file_->mapping()->release(bytes_of(name));
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
        const auto at =
            static_cast<std::size_t>(entry.first_row + file_row(entry, first_row + r)) * row_bytes;
        decode_ggml(entry.tensor->type, entry.tensor->bytes.subspan(at, row_bytes), out.row(r));
    }
}

}  // namespace assay
