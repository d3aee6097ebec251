// Files that llama.cpp wrote, and single blocks, against the weights that its own package decodes
// (tests/data/gguf/README.md).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/mapped_file.h"
#include "base/sha256.h"
#include "container/gguf.h"
#include "container/json.h"
#include "container/safetensors.h"

namespace assay {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(ASSAY_TEST_DATA) / "gguf";

// "model.layers.1.mlp.up_proj.weight" -> "blk.1.ffn_up.weight"
std::string gguf_name(std::string name) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kParts{
        {{"model.layers.", "blk."},
         {"model.embed_tokens", "token_embd"},
         {"model.norm", "output_norm"},
         {"input_layernorm", "attn_norm"},
         {"post_attention_layernorm", "ffn_norm"},
         {"self_attn.o_proj", "attn_output"},
         {"self_attn.q_proj", "attn_q"},
         {"self_attn.k_proj", "attn_k"},
         {"self_attn.v_proj", "attn_v"},
         {"mlp.gate_proj", "ffn_gate"},
         {"mlp.up_proj", "ffn_up"},
         {"mlp.down_proj", "ffn_down"}}};
    for (const auto& [from, to] : kParts) {
        if (const auto at = name.find(from); at != name.npos) name.replace(at, from.size(), to);
    }
    return name;
}

// Rows of q and k from llama.cpp's interleaved order, [head, i, half], to [head, half, i].
std::vector<float> unpermute(const std::vector<float>& values, std::size_t rows, std::size_t head_dim) {
    const std::size_t cols = values.size() / rows;
    std::vector<float> out(values.size());
    for (std::size_t row = 0; row < rows; ++row) {
        const std::size_t head = row / head_dim, half = row % head_dim / (head_dim / 2),
                          i = row % (head_dim / 2);
        const std::size_t from = head * head_dim + 2 * i + half;
        std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(from * cols), cols,
                    out.begin() + static_cast<std::ptrdiff_t>(row * cols));
    }
    return out;
}

// A tensor's weights in Hugging Face's order.
std::vector<float> decoded(const GgufFile& file, const std::string& hf_name) {
    const GgufTensor& tensor = file.tensors().at(gguf_name(hf_name));
    std::vector<float> values(static_cast<std::size_t>(element_count(tensor.shape)));
    decode_ggml(tensor.type, tensor.bytes, values);
    const bool is_permuted = hf_name.find("q_proj") != hf_name.npos || hf_name.find("k_proj") != hf_name.npos;
    return is_permuted ? unpermute(values, static_cast<std::size_t>(tensor.shape[0]), 32) : values;
}

class GgufOracle : public testing::TestWithParam<const char*> {};

TEST_P(GgufOracle, DecodedWeightsAreThoseOfTheReferenceToTheBit) {
    const GgufFile file = GgufFile::open(kFolder / (std::string(GetParam()) + ".gguf"));
    const auto json_path = kFolder / GetParam() / "dequant.json";
    const Json oracle = parse_json(read_file(json_path), json_path.string());
    int compared = 0;
    for (const auto& item : oracle["tensors"].items()) {
        const GgufTensor& tensor = file.tensors().at(gguf_name(item.key()));
        EXPECT_EQ(tensor.shape, item.value()["shape"].get<Shape>()) << item.key();
        EXPECT_EQ(sha256_hex(std::as_bytes(std::span<const float>(decoded(file, item.key())))),
                  item.value()["sha256"])
            << item.key();
        ++compared;
    }
    EXPECT_EQ(compared, 20);
    const auto weights = SafetensorsFile::open(kFolder / GetParam() / "dequant.safetensors");
    for (const auto& [name, view] : weights.tensors()) {
        std::vector<float> expected(static_cast<std::size_t>(element_count(view.shape)));
        to_f32(view, 0, expected);
        EXPECT_EQ(decoded(file, name), expected) << name;
    }
}

TEST_P(GgufOracle, MetadataIsThatOfTheModel) {
    const GgufFile file = GgufFile::open(kFolder / (std::string(GetParam()) + ".gguf"));
    EXPECT_EQ(file.require_string("general.architecture"), "llama");
    EXPECT_EQ(file.require_uint("llama.attention.head_count_kv"), 2u);
    EXPECT_EQ(file.require_float("llama.attention.layer_norm_rms_epsilon"), 1e-5f);
    EXPECT_EQ(file.require_strings("tokenizer.ggml.tokens").size(), 512u);
    EXPECT_EQ(file.find_ints("tokenizer.ggml.token_type")->size(), 512u);
    EXPECT_EQ(file.find_bool("tokenizer.ggml.add_bos_token"), false);
}

// -0 and 0 differ here: the bits are compared.
TEST(GgmlGolden, RandomBlocksOfEveryDecodableTypeHaveTheValuesOfTheReferenceToTheBit) {
    const auto golden = SafetensorsFile::open(kFolder / "blocks.safetensors");
    int types = 0;
    for (std::uint32_t id = 0; id < 64; ++id) {
        const auto info = find_ggml_type(id);
        if (!info || !info->quantized() || info->decode == nullptr) continue;
        ++types;
        const std::string name(info->name);
        const TensorView &blocks = golden.tensors().at(name + ".blocks"),
                         &values = golden.tensors().at(name + ".values");
        ASSERT_EQ(blocks.shape[1], info->block_bytes) << name;
        std::vector<float> decoded(static_cast<std::size_t>(element_count(values.shape)));
        decode_ggml(info->type, blocks.bytes, decoded);
        const auto bytes = std::as_bytes(std::span<const float>(decoded));
        EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), values.bytes.begin(), values.bytes.end())) << name;
    }
    EXPECT_EQ(static_cast<std::size_t>(types) * 2, golden.tensors().size());
}

INSTANTIATE_TEST_SUITE_P(Files, GgufOracle,
                         testing::Values("llama-a-q8_0", "llama-a-q6_k", "llama-a-q4_k_m", "llama-a-q4_0",
                                         "llama-a-iq4_nl"),
                         [](const auto& test) {
                             std::string name = test.param;
                             std::replace(name.begin(), name.end(), '-', '_');
                             return name;
                         });

}  // namespace
}  // namespace assay
