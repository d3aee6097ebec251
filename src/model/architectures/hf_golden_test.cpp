// config.json texts of all families against what transformers makes of them (tools/make_config_golden.py).
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "base/mapped_file.h"
#include "model/architectures.h"
#include "model/rope.h"

namespace assay {
namespace {

// The table's rows at one position against the golden's cosines and sines of every step-th pair.
void expect_rope(const Json& golden, const Json& expected, const RopeConfig& rope, const Json& wanted) {
    const std::int64_t tokens = golden["tokens"], position = golden["position"], step = expected["rope_step"];
    EXPECT_EQ(rope.dimensions, expected["rotated"].get<std::int64_t>());
    RopeConfig own = rope;
    for (const RopeVariant& variant : rope_variants(rope, tokens)) {
        own = variant.rope;
        if (variant.max_positions >= tokens) break;
    }
    const RopeTables tables = rope_tables(own, tokens);
    for (std::size_t i = 0; i < wanted[0].size(); ++i) {
        const auto pair = static_cast<std::size_t>(step) * i;
        EXPECT_NEAR(tables.cosines.row(position)[pair], wanted[0][i].get<double>(), 2e-6) << pair;
        EXPECT_NEAR(tables.sines.row(position)[pair], wanted[1][i].get<double>(), 2e-6) << pair;
    }
}

void expect_experts(const Json& expected, const ModelConfig& c) {
    for (std::size_t i = 0; i < c.layer.size(); ++i)
        EXPECT_EQ(c.layer[i].experts, expected["experts"][i].get<bool>()) << "layer " << i;
    if (!expected.contains("moe")) return;
    const Json& moe = expected["moe"];
    EXPECT_EQ(c.experts.count, moe["count"].get<std::int64_t>());
    EXPECT_EQ(c.experts.per_token, moe["per_token"].get<std::int64_t>());
    EXPECT_EQ(c.experts.intermediate, moe["intermediate"].get<std::int64_t>());
    EXPECT_EQ(c.experts.shared_intermediate, moe["shared"].get<std::int64_t>());
    EXPECT_EQ(c.experts.renormalise, moe["renormalise"].get<bool>());
}

void expect_numbers(const Json& expected, const ModelConfig& c) {
    EXPECT_EQ(c.kv_heads, expected["kv_heads"].get<std::int64_t>());
    EXPECT_EQ(c.head_dim, expected["head_dim"].get<std::int64_t>());
    EXPECT_EQ(c.max_positions, expected["max_positions"].get<std::int64_t>());
    EXPECT_EQ(c.rms_eps, expected["rms_eps"].get<double>());
    EXPECT_EQ(c.tied_head, expected["tied"].get<bool>());
    EXPECT_EQ(c.qkv_bias, expected["qkv_bias"].get<bool>());
    EXPECT_EQ(c.output_bias, expected["output_bias"].get<bool>());
    EXPECT_EQ(c.mlp_bias, expected["mlp_bias"].get<bool>());
    EXPECT_EQ(c.activation == compute::Activation::kGeluTanh, expected["gelu"].get<bool>());
    EXPECT_NEAR(c.attention_scale, expected["scale"].get<double>(), 1e-7);
    EXPECT_EQ(c.attention_softcap, expected["attention_softcap"].get<double>());
    EXPECT_EQ(c.final_softcap, expected["final_softcap"].get<double>());
    EXPECT_NEAR(c.embedding_scale, expected["embedding_scale"].get<double>(), 1e-5);
    const std::int64_t norm = c.qk_norm == QkNorm::kNone   ? 0
                              : c.qk_norm == QkNorm::kHead ? c.head_dim
                                                           : c.heads * c.head_dim;
    EXPECT_EQ(norm, expected["qk_norm"].get<std::int64_t>());
}

void expect_config(const Json& golden, const Json& expected, const ModelConfig& c) {
    const std::int64_t tokens = golden["tokens"];
    expect_numbers(expected, c);
    expect_experts(expected, c);
    const Json& rope = expected["rope"];
    for (std::size_t i = 0; i < c.layer.size(); ++i) {
        const std::int64_t window = c.layer[i].window >= tokens ? 0 : c.layer[i].window;
        EXPECT_EQ(window, expected["windows"][i].get<std::int64_t>()) << "layer " << i;
        expect_rope(golden, expected, c.layer[i].local_rope ? c.local_rope : c.rope,
                    rope[rope.size() == 1 ? 0 : i]);
    }
}

TEST(HfGolden, EveryConfigMeansWhatTransformersMakesOfIt) {
    const auto path = std::filesystem::path(ASSAY_TEST_DATA) / "config_golden.json";
    const Json golden = parse_json(read_file(path), path.string());
    EXPECT_GT(golden["cases"].size(), 200u);
    for (const Json& example : golden["cases"]) {
        SCOPED_TRACE(example["name"].get<std::string>());
        const Json &config = example["config"], &expected = example["expected"];
        const auto parse = [&] {
            const ModelConfig c =
                find_hf_architecture(config["architectures"][0].get<std::string>(), "config.json")
                    .parse_hf(config, "config.json");
            validate(c, "config.json");
            return c;
        };
        if (expected.contains("refused")) {
            EXPECT_THROW(parse(), FormatError);
        } else {
            EXPECT_NO_THROW(expect_config(golden, expected, parse()));
        }
    }
}

}  // namespace
}  // namespace assay
