// The reverse pass against PyTorch's autograd for every family, and against central differences in float64;
// its bits, and spilled states.
#include "model/reverse_pass.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>

#include "base/mapped_file.h"
#include "container/json.h"
#include "model/model_files.h"
#include "model/test_models.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using compute::Tensor;

// Collects ∂L/∂W of every item, in double.
class WeightGradients final : public GradientTap {
  public:
    WeightGradients(const Model& model, compute::Backend& backend, const TokenChunk& chunk)
        : model_(model), backend_(backend), chunk_(chunk) {}

    std::map<std::string, Matrix<double>> gradients;

    void head(std::int64_t first_token, const Tensor& hidden, const Tensor& g_logits) override {
        const Matrix<double> part = outer(g_logits, hidden);
        Matrix<double>& all = of(model_.head_item());
        for (std::int64_t r = 0; r < part.rows(); ++r) {
            for (std::int64_t c = 0; c < part.cols(); ++c)
                all.view()(first_token + r, c) += part.view()(r, c);
        }
    }

    void linear(const LinearItem& item, std::span<const std::int64_t> /*rows*/, const Tensor& input,
                const Tensor& g_output) override {
        EXPECT_FALSE(gradients.contains(item.name)) << item.name << " seen twice";
        gradients.insert_or_assign(item.name, outer(g_output, input));
    }

    void embedding(const Tensor& g_state) override {
        // onehotᵀ g: the backend's own product keeps its precision.
        Matrix<float> onehot(g_state.rows(), model_.config().vocabulary);
        std::int64_t row = 0;
        for (const TokenWindow& window : chunk_.windows) {
            for (std::int32_t token : window)
                onehot.view()(row++, token) = static_cast<float>(model_.config().embedding_scale);
        }
        Tensor x = backend_.allocate(onehot.rows(), onehot.cols());
        backend_.upload(onehot.view(), x);
        const Matrix<double> part = outer(x, g_state);
        Matrix<double>& all = of(model_.embedding_item());
        for (std::size_t i = 0; i < part.values().size(); ++i) all.values()[i] += part.values()[i];
    }

  private:
    Matrix<double> outer(const Tensor& g, const Tensor& x) {
        const std::vector<double> ones(static_cast<std::size_t>(g.rows()), 1.0);
        return backend_.weighted_gradient(g, x, ones);
    }
    Matrix<double>& of(const LinearItem& item) {
        return gradients.try_emplace(item.name, Matrix<double>(item.out, item.in)).first->second;
    }

    const Model& model_;
    compute::Backend& backend_;
    const TokenChunk& chunk_;
};

// Numbers that draw these labels: the middle of each label's share of the model's prediction.
std::vector<double> uniforms_of(const Model& model, const Engine& engine, const TokenChunk& chunk,
                                std::span<const std::int32_t> labels) {
    const std::vector<TokenChunk> chunks{chunk};
    const PassResult pass = run_pass(model, engine, chunks, {});
    Matrix<float> logits(chunk.scored.rows(), model.config().vocabulary);
    const auto head = HeadReader(pass.reference.head, engine.backend).part(0, logits.cols());
    engine.backend.logits(chunk.scored, {&pass.reference.chunks[0], head.get()}, logits.view());
    std::vector<double> uniforms;
    for (std::int64_t r = 0; r < logits.rows(); ++r) {
        double sum = 0, below = 0, own = 0;
        for (std::int64_t v = 0; v < logits.cols(); ++v) {
            const double p = std::exp(static_cast<double>(logits.view()(r, v)));
            sum += p;
            if (v < labels[static_cast<std::size_t>(r)]) below += p;
            if (v == labels[static_cast<std::size_t>(r)]) own = p;
        }
        uniforms.push_back((below + own / 2) / sum);
    }
    return uniforms;
}

// L = Σ ln p(label) of the model under an overlay.
double log_likelihood(const Model& model, const Engine& engine, TokenChunk chunk,
                      std::span<const std::int32_t> labels, const WeightOverlay* overlay) {
    chunk.targets.assign(labels.begin(), labels.end());
    const std::vector<TokenChunk> chunks{chunk};
    const PassResult pass = run_pass(model, engine, chunks, {.overlay = overlay});
    const auto scorer = engine.backend.make_scorer(chunk.scored, 1, chunk.targets);
    const auto part = HeadReader(pass.reference.head, engine.backend).part(0, model.config().vocabulary);
    const compute::HeadInput input{&pass.reference.chunks[0], part.get()};
    scorer->add(std::span(&input, 1));
    const auto scores = scorer->finish();
    return -std::accumulate(scores[0].nll.begin(), scores[0].nll.end(), 0.0);
}

const char* const kFamilies[] = {"llama-tied",
                                 "llama-rope-llama3-f32",
                                 "llama-rope-linear-f16",
                                 "llama-bias-sharded",
                                 "mistral-window32",
                                 "qwen2",
                                 "qwen3",
                                 "phi3-partial",
                                 "gemma2",
                                 "gemma3-text",
                                 "mixtral",
                                 "qwen2-moe",
                                 "qwen3-moe",
                                 "olmo2"};

std::string test_name(const ::testing::TestParamInfo<const char*>& info) {
    std::string name = info.param;
    for (char& c : name) c = c == '-' ? '_' : c;
    return name;
}

class ReversePassTest : public ::testing::TestWithParam<const char*> {
  protected:
    // Compares with autograd's projections of ∂L/∂W, each relative to the projection's norm.
    void check_autograd(const Engine& engine, double tolerance);

    Model model_ = load_model(open_model_files(fs::path(ASSAY_TEST_DATA) / "tiny" / GetParam()));
};

INSTANTIATE_TEST_SUITE_P(Tiny, ReversePassTest, ::testing::ValuesIn(kFamilies), test_name);

double distance(const std::vector<double>& expected, const std::vector<double>& actual) {
    double error = 0, norm = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        error += (actual[i] - expected[i]) * (actual[i] - expected[i]);
        norm += expected[i] * expected[i];
    }
    return norm > 0 ? std::sqrt(error / norm) : std::sqrt(error);
}

void ReversePassTest::check_autograd(const Engine& engine, double tolerance) {
    const fs::path file = fs::path(ASSAY_TEST_DATA) / "gradients" / (std::string(GetParam()) + ".json");
    const Json golden = Json::parse(read_file(file));
    const auto ids = golden["ids"].get<TokenWindow>(), labels = golden["labels"].get<TokenWindow>();
    const auto chunk =
        make_chunks(std::vector<TokenWindow>{ids}, golden["context"].get<std::int64_t>(), 4096)[0];
    ASSERT_EQ(chunk.scored.rows(), std::ssize(labels));
    WeightGradients tap(model_, engine.backend, chunk);
    const ReverseResult result =
        run_reverse_pass(model_, engine, chunk, uniforms_of(model_, engine, chunk, labels), tap);
    ASSERT_EQ(result.labels, labels);
    ASSERT_EQ(golden["tensors"].size(), model_.items().size());
    for (const LinearItem& item : model_.items()) {
        const std::string& name = item.name;
        ASSERT_TRUE(tap.gradients.contains(name)) << name;
        const Json& expected = golden["tensors"].at(name + ".weight");
        const Matrix<double>& g = tap.gradients.at(name);
        std::vector<double> left(static_cast<std::size_t>(g.cols())),
            right(static_cast<std::size_t>(g.rows()));
        double norm2 = 0;
        for (std::int64_t i = 0; i < g.rows(); ++i) {
            for (std::int64_t j = 0; j < g.cols(); ++j) {
                const double v = g.view()(i, j);
                left[static_cast<std::size_t>(j)] += std::cos(0.7 * static_cast<double>(i) + 0.3) * v;
                right[static_cast<std::size_t>(i)] += std::sin(1.3 * static_cast<double>(j) + 0.1) * v;
                norm2 += v * v;
            }
        }
        right.resize(expected["right"].size());
        EXPECT_NEAR(norm2 / expected["norm2"].get<double>(), 1, tolerance) << name;
        EXPECT_LT(distance(expected["left"].get<std::vector<double>>(), left), tolerance) << name;
        EXPECT_LT(distance(expected["right"].get<std::vector<double>>(), right), tolerance) << name;
    }
}

TEST_P(ReversePassTest, EqualsAutogradInF32) {
    check_autograd(TestEngine(), 1e-4);
}

// Rotary tables are f32 in both. Gemma's √hidden is f32 in our runs only, which moves everything by some
// 1e-7.
TEST_P(ReversePassTest, EqualsAutogradInDouble) {
    TestEngine engine;
    engine.backend = compute::make_reference_backend();
    check_autograd(engine, model_.config().embedding_scale == 1 ? 1e-8 : 1e-6);
}

// Adds t · D to one item's weight, D of seeded signs. Exact for weights of few bits.
class SignsOverlay final : public WeightOverlay {
  public:
    SignsOverlay(std::string name, double t) : name_(std::move(name)), t_(t) {}
    static float sign(std::int64_t row, std::int64_t col) {
        return Rng(static_cast<std::uint64_t>(row), static_cast<std::uint64_t>(col)).uniform() < 0.5 ? -1.0f
                                                                                                     : 1.0f;
    }
    bool treats(const LinearItem& item) const override { return item.name == name_; }
    void apply(const LinearItem& /*item*/, MatrixView<float> w) const override {
        for (std::int64_t r = 0; r < w.rows(); ++r) {
            for (std::int64_t c = 0; c < w.cols(); ++c) w(r, c) += static_cast<float>(t_) * sign(r, c);
        }
    }

  private:
    std::string name_;
    double t_;
};

// Of the families stored in 16 bits: W + t D is not exact for weights of 24 bits.
class CentralDifferenceTest : public ReversePassTest {};

INSTANTIATE_TEST_SUITE_P(Tiny, CentralDifferenceTest,
                         ::testing::Values("llama-tied", "llama-rope-linear-f16", "llama-bias-sharded",
                                           "mistral-window32", "qwen2", "qwen3", "phi3-partial", "gemma2",
                                           "gemma3-text", "mixtral", "qwen2-moe", "qwen3-moe", "olmo2"),
                         test_name);

// dL/dt at 0 of W + t D: central differences of three steps, extrapolated (Richardson): the error is O(t⁶).
TEST_P(CentralDifferenceTest, EqualTheGradientInDouble) {
    TestEngine engine;
    engine.backend = compute::make_reference_backend();
    const auto window = random_windows({14}, model_.config().vocabulary);
    const auto chunk = make_chunks(window, 2, 4096)[0];
    WeightGradients tap(model_, *engine.backend, chunk);
    Rng rng(3);
    std::vector<double> uniforms;
    for (std::int64_t r = 0; r < chunk.scored.rows(); ++r) uniforms.push_back(rng.uniform());
    const ReverseResult result = run_reverse_pass(model_, engine, chunk, uniforms, tap);
    const auto slope = [&](const std::string& name, double t) {
        const SignsOverlay up(name, t), down(name, -t);
        return (log_likelihood(model_, engine, chunk, result.labels, &up) -
                log_likelihood(model_, engine, chunk, result.labels, &down)) /
               (2 * t);
    };
    for (const LinearItem& item : model_.items()) {
        // Rows of a scaled embedding are rounded to f32 once more.
        if (changes_embedding(item) && model_.config().embedding_scale != 1) continue;
        const Matrix<double>& g = tap.gradients.at(item.name);
        double expected = 0, norm2 = 0;
        for (std::int64_t r = 0; r < g.rows(); ++r) {
            for (std::int64_t c = 0; c < g.cols(); ++c) {
                expected += g.view()(r, c) * static_cast<double>(SignsOverlay::sign(r, c));
                norm2 += g.view()(r, c) * g.view()(r, c);
            }
        }
        const double a = slope(item.name, 0x1p-12), b = slope(item.name, 0x1p-13),
                     c = slope(item.name, 0x1p-14);
        const double ab = (4 * b - a) / 3, bc = (4 * c - b) / 3, extrapolated = (16 * bc - ab) / 15;
        EXPECT_NEAR(extrapolated, expected, 1e-8 * std::sqrt(norm2)) << item.name;
    }
}

TEST_P(ReversePassTest, ThreadsAndSpilledStatesChangeNoBit) {
    const auto windows = random_windows({40, 13}, model_.config().vocabulary);
    const auto gradients = [&](int threads, std::int64_t state_bytes, std::span<const TokenWindow> chosen) {
        TestEngine engine(threads);
        engine.limits.state_bytes = state_bytes;
        const auto chunk = make_chunks(chosen, 2, 4096)[0];
        WeightGradients tap(model_, *engine.backend, chunk);
        run_reverse_pass(model_, engine, chunk,
                         std::vector<double>(static_cast<std::size_t>(chunk.scored.rows()), 0.4), tap);
        return std::move(tap.gradients);
    };
    const auto equal = [](const auto& a, const auto& b) {
        return std::all_of(a.begin(), a.end(), [&](const auto& entry) {
            const auto &x = entry.second.values(), &y = b.at(entry.first).values();
            return std::equal(x.begin(), x.end(), y.begin(), y.end());
        });
    };
    const auto one = gradients(1, std::int64_t{1} << 30, windows);
    for (int threads : {2, 3, 4}) EXPECT_TRUE(equal(one, gradients(threads, std::int64_t{1} << 30, windows)));
    EXPECT_TRUE(equal(one, gradients(2, 1, windows))) << "spilled";
}

}  // namespace
}  // namespace assay
