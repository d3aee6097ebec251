#include "measure/activations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <functional>
#include <numeric>

#include "base/error.h"
#include "compute/testing.h"
#include "measure/logit_activations.h"
#include "model/model_files.h"
#include "model/test_models.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::size_t> linears_of(const Model& model) {
    std::vector<std::size_t> items;
    for (std::size_t i = 0; i < model.items().size(); ++i) {
        if (model.items()[i].block >= 0) items.push_back(i);
    }
    return items;
}

std::vector<std::size_t> all_items(const Model& model) {
    std::vector<std::size_t> items(model.items().size());
    std::iota(items.begin(), items.end(), std::size_t{0});
    return items;
}

std::size_t index_of(const Model& model, const std::string& name) {
    std::size_t i = 0;
    while (model.items().at(i).name != name) ++i;
    return i;
}

class ActivationsTest : public ::testing::Test {
  protected:
    ~ActivationsTest() override { std::filesystem::remove_all(folder_); }

    Activations measure(int threads = 2) {
        TestEngine engine(threads);
        engine.limits = limits_;
        return measure_activations(model_, engine, windows_, items_);
    }

    Model model_ = random_model(small_llama_config());
    std::filesystem::path folder_ =
        std::filesystem::temp_directory_path() / ("assay-activations-" + std::to_string(::getpid()));
    MemoryLimits limits_;
    std::vector<std::size_t> items_ = linears_of(model_);
    std::vector<EvaluationWindow> windows_ = with_context(random_windows({40, 13, 30}, 97), 5);
};

// Keeps what linears read, and how many rows of each window.
class InputTap final : public Tap {
  public:
    explicit InputTap(compute::Backend& backend) : backend_(backend) {}
    void linear(const LinearItem& item, const compute::Batch& rows, const compute::Tensor& input,
                const compute::Tensor&) override {
        inputs[item.name] = compute::to_host(backend_, input);
        window_rows[item.name].clear();
        for (std::int64_t w = 0; w < rows.windows(); ++w)
            window_rows[item.name].push_back(rows.window_rows(w));
    }
    void block(std::int64_t, const TokenChunk&, const compute::Tensor&) override {}
    std::map<std::string, Matrix<float>> inputs;
    std::map<std::string, std::vector<std::int64_t>> window_rows;

  private:
    compute::Backend& backend_;
};

// x wᵀ in double.
Matrix<float> product(const Matrix<float>& x, const Matrix<float>& w) {
    Matrix<float> y(x.rows(), w.rows());
    for (std::int64_t t = 0; t < x.rows(); ++t) {
        for (std::int64_t o = 0; o < w.rows(); ++o) {
            double sum = 0;
            for (std::int64_t i = 0; i < x.cols(); ++i)
                sum += static_cast<double>(x.view()(t, i)) * static_cast<double>(w.view()(o, i));
            y.view()(t, o) = static_cast<float>(sum);
        }
    }
    return y;
}

// Against plain loops over all elements; `relative` of each number's own scale.
void expect_statistics_of(const Matrix<float>& values, const TensorActivations& tensor, double relative) {
    const auto n = static_cast<double>(values.values().size());
    double mean = 0, magnitude = 0, second = 0, fourth = 0;
    for (const float v : values.values()) {
        mean += static_cast<double>(v) / n;
        magnitude += std::abs(static_cast<double>(v)) / n;
    }
    for (const float v : values.values()) {
        const double d = static_cast<double>(v) - mean;
        second += d * d / n;
        fourth += d * d * d * d / n;
    }
    ASSERT_EQ(tensor.sums.count, static_cast<std::int64_t>(n));
    EXPECT_EQ(tensor.rows(), values.rows());
    EXPECT_NEAR(tensor.sums.mean(), mean, relative * std::sqrt(second));
    EXPECT_NEAR(tensor.sums.std(), std::sqrt(second), relative * std::sqrt(second));
    EXPECT_NEAR(tensor.magnitudes / n, magnitude, relative * magnitude);
    const double kurtosis = fourth / second / second;
    EXPECT_NEAR(tensor.sums.kurtosis().value(), kurtosis, 10 * relative * kurtosis);
    for (std::int64_t c = 0; c < values.cols(); ++c) {
        double top = 0, energy = 0;
        for (std::int64_t t = 0; t < values.rows(); ++t) {
            const double v = values.view()(t, c);
            top = std::max(top, std::abs(v));
            energy += v * v;
        }
        const auto channel = static_cast<std::size_t>(c);
        EXPECT_NEAR(tensor.channel_max[channel], top, relative * (top + magnitude));
        EXPECT_NEAR(tensor.channel_energy[channel], energy, 4 * relative * (energy + magnitude * magnitude));
    }
}

TEST_F(ActivationsTest, AreThoseOfTheLinearsInputsAndOutputs) {
    const Activations all = measure();
    TestEngine engine;
    InputTap tap(*engine.backend);
    run_pass(model_, engine, make_chunks(windows_, 4096), {.tap = &tap});
    ASSERT_EQ(items_.size(), 14u);
    for (const std::size_t i : items_) {
        const std::string& name = model_.items()[i].name;
        SCOPED_TRACE(name);
        const Matrix<float>& x = tap.inputs.at(name);
        expect_statistics_of(x, all.input(i), 1e-5);
        expect_statistics_of(product(x, read_weight(model_.weights(), name)), all.output(i), 1e-5);
    }
}

TEST_F(ActivationsTest, InputsThatLinearsShareAreReducedOnce) {
    const Activations all = measure();
    const auto input = [&](const char* name) {
        return all.items.at(index_of(model_, std::string("model.layers.1.") + name)).input;
    };
    EXPECT_EQ(input("self_attn.q_proj"), input("self_attn.v_proj"));
    EXPECT_EQ(input("mlp.gate_proj"), input("mlp.up_proj"));
    EXPECT_NE(input("mlp.up_proj"), input("mlp.down_proj"));
    EXPECT_EQ(all.tensors.size(), 2u * (4 + 7));
    // Σ over channels of (x / norm weight)² is the hidden size at each of the 83 positions.
    const auto norm = read_vector(model_.weights(), "model.layers.0.input_layernorm.weight");
    double sum = 0;
    for (std::size_t c = 0; c < norm.size(); ++c)
        sum += all.input(0).channel_energy[c] / (static_cast<double>(norm[c]) * static_cast<double>(norm[c]));
    EXPECT_NEAR(sum, 83 * 48, 1e-2 * 83 * 48);
}

TEST_F(ActivationsTest, ThreadsGroupsAndChunksChangeNoBit) {
    items_ = all_items(model_);
    const auto one = measure(1);
    EXPECT_EQ(one.tensors, measure(3).tensors);
    limits_ = {.state_bytes = 1, .chunk_rows = 16};
    EXPECT_EQ(one.tensors, measure().tensors);
}

TEST_F(ActivationsTest, AnInterruptedRunGoesOnToTheSameBits) {
    items_ = all_items(model_);
    const Activations whole = measure();
    limits_ = {.state_bytes = 1, .chunk_rows = 16};
    TestEngine own;
    const auto run = [&](PassMeter& meter) {
        PartCache parts(folder_, "run");
        const Engine engine{*own.backend, own.pool, silent_progress(), own.cancel, limits_, &meter, &parts};
        return measure_activations(model_, engine, windows_, items_).tensors;
    };
    PassMeter first, again;
    EXPECT_EQ(run(first), whole.tensors);
    EXPECT_EQ(run(again), whole.tensors);
    EXPECT_GT(first.blocks, 0);
    EXPECT_EQ(again.blocks, 0);
}

TEST_F(ActivationsTest, OfInputsAloneAreThoseOfBothSides) {
    items_ = all_items(model_);
    const Activations both = measure();
    TestEngine engine;
    const Activations inputs =
        measure_activations(model_, engine, windows_, items_, ActivationSides::kInputs);
    for (const std::size_t i : items_) {
        EXPECT_FALSE(inputs.items.at(i).output || inputs.items.at(i).embedding);
        ASSERT_EQ(inputs.has_input(i), both.has_input(i));
        EXPECT_EQ(inputs.has_input(i), model_.items()[i].name != kEmbeddingName);
        if (inputs.has_input(i)) {
            EXPECT_EQ(inputs.input(i), both.input(i));
        }
    }
    EXPECT_EQ(inputs.tensors.size(), 2u * 4 + 1);
    EXPECT_FALSE(inputs.has_input(items_.size()));
}

TEST_F(ActivationsTest, WithoutWindowsAreRefused) {
    windows_.clear();
    EXPECT_THROW(measure(), InvalidArgument);
}

// Keeps the residual stream before the first block and after the last one.
class StateTap final : public Tap {
  public:
    StateTap(compute::Backend& backend, std::int64_t last) : backend_(backend), last_(last) {}
    void linear(const LinearItem&, const compute::Batch&, const compute::Tensor&,
                const compute::Tensor&) override {}
    void block(std::int64_t block, const TokenChunk&, const compute::Tensor& state) override {
        if (block < 0) embedded = compute::to_host(backend_, state);
        if (block == last_) final_state = compute::to_host(backend_, state);
    }
    Matrix<float> embedded, final_state;

  private:
    compute::Backend& backend_;
    std::int64_t last_;
};

// x / √(mean x² + eps) · weight, in double.
Matrix<float> normed(const Matrix<float>& x, const std::vector<float>& weight, double eps) {
    Matrix<float> y(x.rows(), x.cols());
    for (std::int64_t t = 0; t < x.rows(); ++t) {
        double squares = 0;
        for (const float v : x.row(t)) squares += static_cast<double>(v) * static_cast<double>(v);
        const double size = std::sqrt(squares / static_cast<double>(x.cols()) + eps);
        for (std::int64_t c = 0; c < x.cols(); ++c)
            y.view()(t, c) = static_cast<float>(static_cast<double>(x.view()(t, c)) / size *
                                                static_cast<double>(weight[static_cast<std::size_t>(c)]));
    }
    return y;
}

// More tokens than a slice of logits, more windows than have their sums at once.
class OutputLayerTest : public ::testing::TestWithParam<bool> {
  protected:
    OutputLayerTest() {
        config_.vocabulary = 2 * kLogitSlice + 300;
        config_.tied_head = GetParam();
        config_.final_softcap = 3;  // the statistics are of logits before it
        config_.embedding_scale = 2.5;
        weights_ = random_weights(config_, 3);
    }

    Model model() const { return {"wide", config_, make_blocks(config_), weights_}; }

    // What the embedding gives and what the output layer reads, whole.
    struct PlainRun {
        Matrix<float> embedded, x;
    };
    PlainRun run(const Model& model, TestEngine& engine) const {
        StateTap tap(*engine.backend, config_.layers - 1);
        run_pass(model, engine, make_chunks(windows_, 4096), {.tap = &tap});
        const auto norm = read_vector(model.weights(), "model.norm.weight");
        return {tap.embedded, normed(tap.final_state, norm, config_.rms_eps)};
    }

    ModelConfig config_ = small_llama_config();
    std::shared_ptr<MemoryWeights> weights_;
    std::vector<EvaluationWindow> windows_ =
        with_context(random_windows({3, 9, 2, 17, 5, 4, 3, 2, 8, 2, 3, 4, 5, 6, 7, 2, 3, 20, 2}, 97), 0);
};

INSTANTIATE_TEST_SUITE_P(Head, OutputLayerTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Tied" : "Untied"; });

TEST_P(OutputLayerTest, AndEmbeddingAreThoseOfThePlainModel) {
    const Model model = this->model();
    TestEngine engine;
    const PlainRun plain = run(model, engine);
    const Matrix<float> logits = product(plain.x, read_weight(model.weights(), model.head_item().name));
    engine.limits.chunk_rows = 60;
    const auto items = all_items(model);
    const Activations all = measure_activations(model, engine, windows_, items);
    const std::size_t head = items.size() - 1, embedding = GetParam() ? head : head - 1;
    expect_statistics_of(plain.x, all.input(head), 1e-5);
    expect_statistics_of(logits, all.output(head), 1e-5);
    const Activations::Sides& sides = all.items.at(embedding);
    EXPECT_EQ(sides.embedding.has_value(), GetParam());
    EXPECT_EQ(sides.input.has_value(), GetParam());
    expect_statistics_of(plain.embedded, GetParam() ? all.tensors[*sides.embedding] : all.output(embedding),
                         1e-5);
    std::int64_t with_rows = 0;
    for (const EvaluationWindow& w : windows_) with_rows += std::ssize(w.tokens) >= kLeastRows ? 1 : 0;
    EXPECT_EQ(all.output(head).windows, with_rows);
}

TEST_P(OutputLayerTest, ThreadsGroupsAndChunksChangeNoBit) {
    const Model model = this->model();
    const std::vector<std::size_t> items{model.items().size() - 1};
    TestEngine one(1), three(3), small(2);
    small.limits = {.state_bytes = 1, .head_bytes = 1, .chunk_rows = 7};
    const auto tensors = [&](TestEngine& engine) {
        return measure_activations(model, engine, windows_, items).tensors;
    };
    const auto expected = tensors(one);
    EXPECT_EQ(expected, tensors(three));
    EXPECT_EQ(expected, tensors(small));
}

TEST_P(OutputLayerTest, AMassiveLogitHasItsTokenWhateverItsSlice) {
    const std::int64_t token = 2 * kLogitSlice + 100;
    auto& head = weights_->matrices.at(GetParam() ? "model.embed_tokens.weight" : "lm_head.weight");
    for (float& w : head.row(token)) w *= -3000;
    const Model model = this->model();
    TestEngine engine;
    const PlainRun plain = run(model, engine);
    const std::size_t item = model.items().size() - 1;
    const Activations all = measure_activations(model, engine, windows_, std::span(&item, 1));
    const auto& largest = all.output(item).largest;
    ASSERT_EQ(largest.size(), kKeptTokens);
    for (const MassiveToken& found : largest) {
        EXPECT_EQ(found.channel, token);
        std::int64_t row = found.position;
        for (std::int64_t w = 0; w < found.window; ++w)
            row += std::ssize(windows_[static_cast<std::size_t>(w)].tokens);
        double logit = 0;
        for (std::int64_t c = 0; c < plain.x.cols(); ++c)
            logit += static_cast<double>(plain.x.view()(row, c)) * static_cast<double>(head.view()(token, c));
        EXPECT_NEAR(found.value, logit, 1e-3 * std::abs(logit));
    }
}

TEST(OutputLayer, IsNamedWhereItsLogitsStopBeingFinite) {
    const ModelConfig config = small_llama_config();
    const auto weights = random_weights(config, 3);
    for (float& w : weights->matrices.at("lm_head.weight").row(5)) w *= 3e38f;
    const Model model("overflowing", config, make_blocks(config), weights);
    TestEngine engine;
    const std::size_t item = model.items().size() - 1;
    const auto windows = with_context(random_windows({20}, 97), 0);
    EXPECT_THAT([&] { measure_activations(model, engine, windows, std::span(&item, 1)); },
                ::testing::ThrowsMessage<NumericError>(HasSubstr("lm_head: its output in window 0")));
}

// In the block's MLP input only `token` has anything in channel 7, and a great deal of it.
void plant_massive_token(MemoryWeights& weights, std::int32_t token) {
    Matrix<float>& embedding = weights.matrices.at("model.embed_tokens.weight");
    for (std::int64_t t = 0; t < embedding.rows(); ++t) embedding.view()(t, 7) = t == token ? 5.0f : 0.0f;
    auto& o = weights.matrices.at("model.layers.0.self_attn.o_proj.weight");
    for (std::int64_t c = 0; c < o.cols(); ++c) o.view()(7, c) = 0;
    weights.vectors.at("model.layers.0.post_attention_layernorm.weight")[7] = 3000;
}

ModelConfig mixtral_config() {
    ModelConfig config = small_llama_config();
    config.architecture = "MixtralForCausalLM";
    config.experts = {.count = 4, .per_token = 2, .intermediate = 40, .renormalise = true};
    for (LayerConfig& layer : config.layer) layer.experts = true;
    return config;
}

class MassiveTokenTest : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Mlp, MassiveTokenTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Experts" : "Dense"; });

TEST_P(MassiveTokenTest, IsFoundAtItsPosition) {
    const ModelConfig config = GetParam() ? mixtral_config() : small_llama_config();
    const auto weights = random_weights(config, 3);
    plant_massive_token(*weights, 96);
    const Model model("planted", config, make_blocks(config), weights);
    auto windows = with_context(random_windows({30, 40, 40}, 96), 0);  // the token is in none of them
    windows[1].tokens[17] = 96;
    windows[2].tokens[0] = 96;
    TestEngine engine;
    engine.limits.chunk_rows = 80;  // the second and third window share a chunk
    const auto items = linears_of(model);
    const Activations all = measure_activations(model, engine, windows, items);
    std::int64_t seen = 0;
    for (const std::size_t i : items) {
        const std::string& name = model.items()[i].name;
        const bool reads_it = name.starts_with("model.layers.0.") && model.items()[i].in == 48 &&
                              name.find("self_attn") == std::string::npos;
        const TensorActivations& input = all.input(i);
        if (!reads_it) continue;
        for (const MassiveToken& token : input.largest) {
            EXPECT_EQ(token.channel, 7);
            EXPECT_EQ(token.position, token.window == 1 ? 17 : 0);
            EXPECT_GT(token.value, 1000);
        }
        seen += input.massive_tokens;
        EXPECT_EQ(input.massive_first_tokens, std::count_if(input.largest.begin(), input.largest.end(),
                                                            [](const auto& t) { return t.window == 2; }));
    }
    // Dense: gate and up. Experts: the router, and gate and up of the two that each of the tokens goes to.
    EXPECT_EQ(seen, GetParam() ? 2 + 2 * 2 * 2 : 2 * 2);
}

TEST(ExpertActivations, AreOfTheRowsRoutedToEach) {
    const Model model = random_model(mixtral_config());
    TestEngine engine;
    const std::vector<std::size_t> items = linears_of(model);
    const auto two = with_context(random_windows({40, 30}, 97), 0);
    const Activations all = measure_activations(model, engine, two, items);
    InputTap tap(*engine.backend);
    run_pass(model, engine, make_chunks(two, 4096), {.tap = &tap});
    std::int64_t rows = 0;
    for (const std::size_t i : items) {
        const std::string& name = model.items()[i].name;
        SCOPED_TRACE(name);
        expect_statistics_of(tap.inputs.at(name), all.input(i), 1e-5);
        const auto& counts = tap.window_rows.at(name);
        EXPECT_EQ(all.input(i).windows,
                  std::count_if(counts.begin(), counts.end(), [](auto n) { return n >= kLeastRows; }));
        if (name.find("layers.1.") != std::string::npos && name.find("experts") != std::string::npos &&
            model.items()[i].in == 40)
            rows += all.input(i).rows();
    }
    EXPECT_EQ(rows, 2 * 70);
}

TEST(Activations, NameTheLinearWhereNumbersStopBeingFinite) {
    const ModelConfig config = small_llama_config();
    const auto weights = random_weights(config, 3);
    for (float& w : weights->matrices.at("model.layers.1.mlp.up_proj.weight").values()) w *= 3e38f;
    const Model model("overflowing", config, make_blocks(config), weights);
    TestEngine engine;
    const auto items = linears_of(model);
    try {
        measure_activations(model, engine, with_context(random_windows({20}, 97), 0), items);
        FAIL() << "no error";
    } catch (const NumericError& e) {
        EXPECT_THAT(e.what(), HasSubstr("model.layers.1.mlp.up_proj: its output in window 0"));
    }
}

TEST(MostEnergetic, ComeByChannelAndFirstOnTies) {
    const std::vector<double> energies{1, 5, 2, 5, 2};
    EXPECT_THAT(most_energetic(energies, 3), ElementsAre(1, 2, 3));
    EXPECT_THAT(most_energetic(energies, 9), ElementsAre(0, 1, 2, 3, 4));
    EXPECT_THAT(most_energetic(energies, 0), ElementsAre());
}

}  // namespace
}  // namespace assay
