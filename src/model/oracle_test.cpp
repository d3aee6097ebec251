// Logits of the tiny models against PyTorch's, on both backends; and what must be refused.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/mapped_file.h"
#include "container/json.h"
#include "container/safetensors.h"
#include "model/model_files.h"
#include "model/pass.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

const fs::path kTiny = fs::path(ASSAY_TEST_DATA) / "tiny";

std::vector<float> floats(const SafetensorsFile& file, const std::string& name) {
    const TensorView& view = file.tensors().at(name);
    std::vector<float> values(static_cast<std::size_t>(element_count(view.shape)));
    to_f32(view, 0, values);
    return values;
}

TokenWindow ids(const SafetensorsFile& file, const std::string& name) {
    const TensorView& view = file.tensors().at(name);
    TokenWindow values(static_cast<std::size_t>(element_count(view.shape)));
    std::memcpy(values.data(), view.bytes.data(), view.bytes.size());
    return values;
}

double largest_difference(std::span<const float> expected, std::span<const float> actual) {
    double worst = expected.size() <= actual.size() ? 0 : INFINITY;
    for (std::size_t i = 0; i < expected.size(); ++i)
        worst = std::max(worst, std::abs(static_cast<double>(expected[i] - actual[i])));
    return worst;
}

// Keeps the residual stream after each block.
class LayerTap final : public Tap {
  public:
    explicit LayerTap(compute::Backend& backend) : backend_(backend) {}
    void linear(const LinearItem&, const compute::Batch&, const compute::Tensor&,
                const compute::Tensor&) override {}
    void block(std::int64_t, const TokenChunk&, const compute::Tensor& state) override {
        layers.emplace_back(state.rows(), state.cols());
        backend_.download(state, layers.back().view());
    }
    std::vector<Matrix<float>> layers;

  private:
    compute::Backend& backend_;
};

class OracleTest : public ::testing::TestWithParam<const char*> {
  protected:
    void check(compute::Backend& backend, double tolerance);

    ThreadPool pool_{2};
};

INSTANTIATE_TEST_SUITE_P(Tiny, OracleTest,
                         ::testing::Values("llama-tied", "llama-rope-llama3-f32", "llama-rope-linear-f16",
                                           "llama-bias-sharded", "mistral-window32", "qwen2", "qwen3",
                                           "phi3-partial", "gemma2", "gemma3-text", "mixtral", "qwen2-moe",
                                           "qwen3-moe", "olmo2"),
                         [](const auto& info) {
                             std::string name = info.param;
                             for (char& c : name) c = c == '-' ? '_' : c;
                             return name;
                         });

void OracleTest::check(compute::Backend& backend, double tolerance) {
    const fs::path folder = kTiny / GetParam();
    const Model model = load_model(open_model_files(folder));
    const auto oracle = SafetensorsFile::open(folder / "oracle.safetensors");
    const CancelToken cancel;
    const Engine engine{backend, pool_, silent_progress(), cancel};
    int prompts = 0;
    for (; oracle.tensors().contains("p" + std::to_string(prompts) + ".input_ids"); ++prompts) {
        const std::string name = "p" + std::to_string(prompts);
        TokenWindow window = ids(oracle, name + ".input_ids");
        window.push_back(
            0);  // the pass scores positions whose next token is known; a later token changes no earlier one
        const std::vector<TokenWindow> windows{window};
        const auto chunks = make_chunks(windows, 0, 4096);
        LayerTap tap(backend);
        const PassResult result = run_pass(model, engine, chunks, {.tap = &tap});
        const compute::Tensor& hidden = result.reference.chunks[0];
        Matrix<float> logits(hidden.rows(), model.config().vocabulary),
            final_hidden(hidden.rows(), hidden.cols());
        const auto head = HeadReader(result.reference.head, backend).part(0, logits.cols());
        backend.logits(chunks[0].scored, {&hidden, head.get()}, logits.view());
        backend.download(hidden, final_hidden.view());
        EXPECT_LT(largest_difference(floats(oracle, name + ".logits"), logits.values()), tolerance) << name;
        EXPECT_LT(largest_difference(floats(oracle, name + ".final_hidden"), final_hidden.values()),
                  tolerance)
            << name;
        if (!oracle.tensors().contains(name + ".layers")) continue;
        const auto layers = floats(oracle, name + ".layers");
        const std::size_t size = layers.size() / tap.layers.size();
        // Layer values reach about 30, three times the logits.
        for (std::size_t i = 0; i < tap.layers.size(); ++i) {
            EXPECT_LT(largest_difference(std::span(layers).subspan(i * size, size), tap.layers[i].values()),
                      3 * tolerance)
                << "layer " << i;
        }
    }
    EXPECT_GE(prompts, 3);
}

double suggested_tolerance(const char* name) {
    const fs::path path = kTiny / name / "oracle.json";
    const Json json = parse_json(read_file(path), path.string());
    return json.at("suggested_tolerance").at("max_abs_logit").get<double>();
}

TEST_P(OracleTest, LogitsOfTheCpuBackendAreWithinTheOraclesTolerance) {
    check(*compute::make_cpu_backend(pool_), suggested_tolerance(GetParam()));
}

TEST_P(OracleTest, LogitsOfTheAvx2KernelsAreWithinTheOraclesTolerance) {
    check(*compute::make_cpu_backend(pool_, {compute::CpuKernels::kAvx2}), suggested_tolerance(GetParam()));
}

// What remains is PyTorch's own f32 error, of which the suggested tolerance is at least twenty times.
TEST_P(OracleTest, LogitsOfTheReferenceBackendAreTenTimesCloser) {
    check(*compute::make_reference_backend(), suggested_tolerance(GetParam()) / 10);
}

class ConfigTest : public ::testing::Test {
  protected:
    void SetUp() override {
        folder_ =
            fs::temp_directory_path() /
            (std::string("assay-config-") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
        fs::remove_all(folder_);
        fs::copy(kTiny / "llama-tied", folder_);
        config_ = parse_json(read_file(folder_ / "config.json"), "config");
    }
    void TearDown() override { fs::remove_all(folder_); }

    // The error of loading the model with the changed config.
    std::string error() {
        std::ofstream(folder_ / "config.json") << config_.dump();
        try {
            load_model(open_model_files(folder_));
        } catch (const FormatError& e) {
            return e.what();
        }
        return "";
    }

    fs::path folder_;
    Json config_;
};

TEST_F(ConfigTest, RefusesAnotherArchitectureByNameWithTheSupportedOnes) {
    config_["architectures"] = {"MambaForCausalLM"};
    const std::string text = error();
    EXPECT_NE(text.find("MambaForCausalLM"), std::string::npos) << text;
    EXPECT_NE(text.find("supported: LlamaForCausalLM"), std::string::npos) << text;
}

TEST_F(ConfigTest, RefusesValuesThatChangeTheFunction) {
    const Json good = config_;
    const std::vector<std::pair<const char*, Json>> changes{
        {"hidden_act", "gelu"},
        {"rope_scaling", {{"rope_type", "mrope"}, {"factor", 4.0}}},
        {"quantization_config", {{"quant_method", "gptq"}, {"bits", 4}}},
    };
    for (const auto& change : changes) {
        config_ = good;
        config_[change.first] = change.second;
        EXPECT_NE(error().find("not supported") == std::string::npos ? error().find("quantized") : 0,
                  std::string::npos)
            << change.first;
    }
}

TEST_F(ConfigTest, NamesBadNumbers) {
    const Json good = config_;
    const std::vector<std::pair<const char*, Json>> changes{
        {"num_hidden_layers", 0},
        {"num_key_value_heads", 4},
        {"hidden_size", "96"},
        {"hidden_size", -1},
        {"vocab_size", 1e30},
        {"rms_norm_eps", 0},
        {"rope_theta", -5.0},
        {"rope_scaling", {{"type", "linear"}}},
        {"head_dim", 15},
        {"num_hidden_layers", 4},
        {"architectures", Json::array()},
        {"intermediate_size", 255},
    };
    for (const auto& change : changes) {
        config_ = good;
        config_[change.first] = change.second;
        EXPECT_NE(error(), "") << change.first << " " << change.second;
    }
    config_ = good;
    config_.erase("hidden_size");
    EXPECT_NE(error().find("hidden_size"), std::string::npos);
}

TEST_F(ConfigTest, NamesTheMissingConfigOrFolder) {
    fs::remove(folder_ / "config.json");
    EXPECT_THROW(open_model_files(folder_), FormatError);
    EXPECT_THROW(open_model_files(folder_ / "nothing"), FormatError);
}

TEST_F(ConfigTest, NestedRopeParametersAreReadAsFlatOnes) {
    config_["rope_theta"] = 12345.0;
    std::ofstream(folder_ / "config.json") << config_.dump();
    const double flat = load_model(open_model_files(folder_)).config().rope.theta;
    config_.erase("rope_theta");
    config_.erase("rope_scaling");
    config_["rope_parameters"] = {{"rope_theta", 12345.0}, {"rope_type", "default"}};
    std::ofstream(folder_ / "config.json") << config_.dump();
    EXPECT_EQ(load_model(open_model_files(folder_)).config().rope.theta, flat);
    EXPECT_EQ(flat, 12345.0);
}

}  // namespace
}  // namespace assay
