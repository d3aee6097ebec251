// The border of all number crunching: some twenty coarse operations on a backend's own tensors.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "compute/batch.h"
#include "compute/cpu_options.h"
#include "compute/rounded_linear.h"
#include "compute/routing.h"
#include "compute/tensor.h"
#include "tensor/matrix.h"

namespace assay::compute {

class SymmetricMatrix;  // compute/symmetric_matrix.h

// Columns [first, first + cols) of a tensor: one part of a fused projection's output, or all of it.
struct Columns {
    Columns(const Tensor& whole) : tensor(&whole), cols(whole.cols()) {}
    Columns(const Tensor& whole, std::int64_t first_column, std::int64_t columns)
        : tensor(&whole), first(first_column), cols(columns) {}

    const Tensor* tensor;
    std::int64_t first = 0;
    std::int64_t cols;
};

// Columns that an operation writes.
struct TargetColumns {
    TargetColumns(Tensor& whole) : tensor(&whole), cols(whole.cols()) {}
    TargetColumns(Tensor& whole, std::int64_t first_column, std::int64_t columns)
        : tensor(&whole), first(first_column), cols(columns) {}

    Tensor* tensor;
    std::int64_t first = 0;
    std::int64_t cols;
};

enum class Activation {
    kSilu,      // x · sigmoid(x)
    kGeluTanh,  // x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))) (Hendrycks & Gimpel 2016)
};

// Cosines and sines [positions, rotary/2] with rotary <= head_dim, for windows of up to `max_rows` positions.
struct RotaryTable {
    const Tensor* cosines = nullptr;
    const Tensor* sines = nullptr;
    std::int64_t max_rows = 0;
};

// Causal self-attention with grouped key/value heads and rotary positions.
struct AttentionSpec {
    std::int64_t heads = 0;
    std::int64_t kv_heads = 0;  // divides heads
    std::int64_t head_dim = 0;
    double scale = 0;         // multiplies q·k; usually head_dim^-1/2
    std::int64_t window = 0;  // a position sees so many keys, itself included; 0: all before it
    double softcap = 0;       // scores become c·tanh(score / c) before the mask; 0: they stay
    // By ascending max_rows; a window takes the first table that is for windows of its length. None: no
    // rotation.
    std::vector<RotaryTable> rotary;
};

// One run of the output layer: final hidden states [rows, hidden] against a head, or a part of one.
struct HeadInput {
    const Tensor* hidden = nullptr;
    const PackedHead* head = nullptr;
};

// What the output layer says of each row's next token.
struct TokenScores {
    std::vector<double> log_sum;     // ln Σ exp(logit), nats
    std::vector<double> nll;         // -ln p(target), nats
    std::vector<double> kl;          // KL(first input || this input), nats; 0 for the first input itself
    std::vector<std::int32_t> top1;  // token with the largest logit, the lowest id on ties
};

// Scores rows of hidden states against targets while the output layer comes by in parts.
class TokenScorer {
  public:
    virtual ~TokenScorer() = default;

    // The next part of the vocabulary: the heads of all inputs hold the same tokens, those after the last
    // part's. Cutting the vocabulary at multiples of Backend::kHeadPartTokens changes no bit.
    virtual void add(std::span<const HeadInput> inputs) = 0;

    // Scores of each input, in the order given to add(); once, after the last part.
    virtual std::vector<TokenScores> finish() = 0;
};

// Labels drawn from the model's own predictions, row by row, while the output layer comes by in parts.
struct LabelDraws {
    // Rounding may leave Σ p of the whole vocabulary below 1; numbers above this count as this one.
    static constexpr double kLargestUniform = 1 - 1e-5;

    std::vector<double> log_sum;       // in: ln Σ exp(logit) of the whole vocabulary
    std::vector<double> uniform;       // in: a number in [0, 1)
    std::vector<double> passed;        // Σ p of the parts so far; starts at 0
    std::vector<std::int32_t> labels;  // the first token at which Σ p exceeds `uniform`; -1 until then
    std::int32_t next_token = 0;       // first of the next part
};

// Rows [first, first + count): positions whose contributions are summed.
struct RowSegment {
    std::int64_t first = 0;
    std::int64_t count = 0;
};

// Sums over the rows of one window.
struct SquaredError {
    double error = 0;      // sum (b - a)^2
    double reference = 0;  // sum a^2
};

// What one window's rows of a tensor look like, channel (column) by channel and row by row.
struct ActivationSums {
    std::vector<float> channel_max;      // [cols]: max |x|
    std::vector<double> channel_energy;  // [cols]: Σ x²
    std::vector<float> row_max;          // [the window's rows]: max |x|
    double sum = 0;                      // over all elements: Σ x,
    double magnitudes = 0;               // Σ |x|,
    double cubes = 0;                    // Σ x³,
    double fourths = 0;                  // Σ x⁴; NaN or infinite where an element is
};

// Every operation checks its shapes and throws InvalidArgument where they do not fit. Results of one backend
// on one instruction set are the same bits for any thread count and any grouping of windows into batches; two
// backends agree within rounding. Tensors of one backend must not be given to another.
class Backend {
  public:
    virtual ~Backend() = default;

    // Name, precision and instruction set, for records: "cpu f32 avx512", "cpu
    // bf16 amx_bf16 (f32 avx512)".
    virtual std::string description() const = 0;

    // Bytes that one element of a tensor takes.
    virtual std::int64_t element_bytes() const = 0;

    // Bytes that one element of a packed weight takes.
    virtual std::int64_t weight_bytes() const = 0;

    // An uninitialised tensor.
    virtual Tensor allocate(std::int64_t rows, std::int64_t cols) = 0;

    // Copies between host memory and a tensor of the same shape.
    virtual void upload(MatrixView<const float> values, Tensor& out) = 0;
    virtual void download(const Tensor& tensor, MatrixView<float> out) const = 0;

    // out[out_row + i] = in[in_row + i] for i in [0, rows).
    virtual void copy_rows(const Tensor& in, std::int64_t in_row, Tensor& out, std::int64_t out_row,
                           std::int64_t rows) = 0;

    // Packs w [out, in] and bias [out] (empty: none) for linear().
    virtual std::unique_ptr<PackedLinear> pack_linear(MatrixView<const float> w,
                                                      std::span<const float> bias) = 0;

    // Packs w with a bias (empty: none) for linear(), which then rounds its inputs. Sums of integers are
    // exact up to 2^53 before they are rescaled; those of E4M3 are of f32 products and sums within 1024
    // columns, in double beyond. Throws InvalidArgument for codes, scales, divisors or sizes that cannot be.
    virtual std::unique_ptr<PackedLinear> pack_rounded(const RoundedLinear& w,
                                                       std::span<const float> bias) = 0;

    // Packs wᵀ: linear() then gives x w, the gradient of a linear's input from that of its output. Shape w
    // [out, in].
    virtual std::unique_ptr<PackedLinear> pack_transposed(MatrixView<const float> w) = 0;

    // y = x wᵀ + bias, and + residual where given, which may be y itself. Shape x [rows, in], y and residual
    // [rows, out].
    virtual void linear(const Batch& batch, const Tensor& x, const PackedLinear& w, const Tensor* residual,
                        Tensor& y) = 0;

    // y = x / sqrt(mean(x²) + eps) · weight, and + residual where given, for each run of n columns, n the
    // weight's (Zhang & Sennrich 2019, eq. 4). Shape weight [1, n], n divides cols; x, residual, y [rows,
    // cols].
    virtual void rms_norm(const Batch& batch, const Tensor& x, const Tensor& weight, double eps,
                          const Tensor* residual, Tensor& y) = 0;

    // softmax(cap(scale · rot(q) rot(k)ᵀ) + causal mask) v, head by head and window by window; a window that
    // continues others sees their rows before its own. Rotation turns the pairs (i, i + rotary/2) by the
    // row's position in its window (Su et al. 2021, eq. 34, in the half-split order); windows that continue
    // others need one rotary table for all lengths. Shape q, out [rows, heads·head_dim]; k, v [rows,
    // kv_heads·head_dim].
    virtual void attention(const Batch& batch, const Columns& q, const Columns& k, const Columns& v,
                           const AttentionSpec& spec, Tensor& out) = 0;

    // y = activation(gate) · up (Shazeer 2020). Shape gate, up, y [rows, cols].
    virtual void gated(const Batch& batch, const Columns& gate, const Columns& up, Activation activation,
                       Tensor& y) = 0;

    // Which experts each row goes to: p = softmax(logits), the top k of them, the lowest id first on ties;
    // weights are p, divided by the chosen ones' sum where `renormalise`. Shape logits [rows, experts].
    virtual Routing route(const Batch& batch, const Tensor& logits, const RouteSpec& spec) = 0;

    // out[i] = in[rows[i]].
    virtual void gather_rows(const Tensor& in, std::span<const std::int64_t> rows, Tensor& out) = 0;

    // y = residual + Σ_e weight_e · output_e, expert after expert, each row of outputs[e] going where
    // routing.experts[e] took it from. Shape outputs[e] [its rows, cols]; residual, y [rows, cols].
    virtual void combine_experts(const Batch& batch, const Routing& routing,
                                 std::span<const Tensor* const> outputs, const Tensor& residual,
                                 Tensor& y) = 0;

    // y = residual + sigmoid(gate) · x. Shape gate [rows, 1]; x, residual, y [rows, cols].
    virtual void add_gated(const Batch& batch, const Tensor& x, const Tensor& gate, const Tensor& residual,
                           Tensor& y) = 0;

    // Sums over each window's rows of (b - a)² and a², in double.
    virtual std::vector<SquaredError> squared_error(const Batch& batch, const Tensor& a, const Tensor& b) = 0;

    // Of each window, one walk over its rows; sums of short chains, in double beyond them, of
    // runs of Batch::kTileRows rows in their order. What is not finite shows in the fourth powers, not in the
    // maxima; numbers beyond 1e19 may make energies infinite. Shape x [rows, cols]. Accuracy: 4e-6 of Σ |x|,
    // of each energy.
    virtual std::vector<ActivationSums> activation_sums(const Batch& batch, const Tensor& x) = 0;

    // Tokens per part into which an output layer may be cut (any multiple of it).
    static constexpr std::int64_t kHeadPartTokens = 1024;

    // Packs the output layer w [tokens, hidden], or a part of it. Logits are hidden·wᵀ, with a softcap c > 0
    // c·tanh(hidden·wᵀ / c).
    virtual std::unique_ptr<PackedHead> pack_head(MatrixView<const float> w, double softcap) = 0;

    // A scorer of `inputs` runs against targets [rows]. With p from the first input and q from another,
    // KL = Σ p (a - b) - lse(a) + lse(b), a and b their logits: exactly 0 where the logits are the same bits.
    // Logits exist for one slice of the vocabulary only. The batch must outlive it.
    virtual std::unique_ptr<TokenScorer> make_scorer(const Batch& batch, std::size_t inputs,
                                                     std::span<const std::int32_t> targets) = 0;

    // Logits of one run and a head, or a part of one [rows, tokens]; for small outputs and tests.
    virtual void logits(const Batch& batch, const HeadInput& input, MatrixView<float> out) = 0;

    // Gradients: g_v is ∂L/∂v for some scalar L of the operation's outputs. Where an operation has a `base`,
    // the result is added to it (null: to 0), and base may be the output itself. Other outputs are not
    // inputs.

    // g_x = base + ∂L/∂x of rms_norm():  f w∘g_y - x f³/n · Σ x∘w∘g_y,  f = 1 / sqrt(mean(x²) + eps).
    virtual void rms_norm_backward(const Batch& batch, const Tensor& x, const Tensor& weight, double eps,
                                   const Tensor& g_y, const Tensor* base, Tensor& g_x) = 0;

    // Of attention(), whose result `out` was, for windows of which none continues another. With P the softmax
    // and S what went into it, g_v = Pᵀ g_out,  g_S = P∘(g_out vᵀ - rowsum(g_out∘out))  (Dao et al. 2022,
    // appendix B.2), through cap, scale and rotation back to g_q and g_k; heads that share keys and values
    // add up.
    virtual void attention_backward(const Batch& batch, const Columns& q, const Columns& k, const Columns& v,
                                    const AttentionSpec& spec, const Tensor& out, const Tensor& g_out,
                                    const TargetColumns& g_q, const TargetColumns& g_k,
                                    const TargetColumns& g_v) = 0;

    // Of gated().
    virtual void gated_backward(const Batch& batch, const Columns& gate, const Columns& up,
                                Activation activation, const Tensor& g_y, const TargetColumns& g_gate,
                                const TargetColumns& g_up) = 0;

    // out = base, then out[rows[i]] += in[i] in the order of i: of gather_rows(). Shape in [rows.size(),
    // cols].
    virtual void scatter_rows(const Tensor& in, std::span<const std::int64_t> rows, const Tensor* base,
                              Tensor& out) = 0;

    // Of combine_experts(): g_outputs[e] = weight_e · its rows of g_y. Returns the gradients of the weights.
    virtual RoutingGradient combine_experts_backward(const Batch& batch, const Routing& routing,
                                                     std::span<const Tensor* const> outputs,
                                                     const Tensor& g_y,
                                                     std::span<Tensor* const> g_outputs) = 0;

    // Of route(), for the choice of experts as it was: routing.h. Shape logits, g_logits [rows, experts].
    virtual void route_backward(const Batch& batch, const Tensor& logits, const RouteSpec& spec,
                                const Routing& routing, const RoutingGradient& g_weights,
                                Tensor& g_logits) = 0;

    // Of add_gated(): g_x = sigmoid(gate) · g_y, g_gate = sigmoid'(gate) · ⟨g_y, x⟩.
    virtual void add_gated_backward(const Batch& batch, const Tensor& x, const Tensor& gate,
                                    const Tensor& g_y, Tensor& g_x, Tensor& g_gate) = 0;

    // y = a + b, of one shape; y may be one of them.
    virtual void add(const Tensor& a, const Tensor& b, Tensor& y) = 0;

    // The next part of the output layer: draws labels where their token lies in it, and writes the gradient
    // of ln p(label) with respect to hidden·wᵀ, before a softcap: ([token = label] - p) · (1 - (logit / c)²).
    // Parts of kHeadPartTokens tokens, the last one shorter, so that no bit depends on the cutting. Shape
    // g_logits [rows, the part's tokens].
    virtual void label_gradient(const Batch& batch, const HeadInput& part, LabelDraws& draws,
                                Tensor& g_logits) = 0;

    // Lays out a change Δ [out, in] of a weight for change_dots(). Thread-safe, on the caller's thread, as
    // pack_linear() and pack_transposed() are.
    virtual std::unique_ptr<PackedChange> pack_change(MatrixView<const float> change) = 0;

    // For each segment s and change f:  Σ_{t in s} ⟨g_t, Δ_f x_t⟩  [segments, changes], formed as ⟨Σ_t g_t
    // x_tᵀ, Δ_f⟩: one product for any number of changes. Segments of up to about 64 rows keep the sums exact
    // to f32 rounding of short chains; across rows and columns they are in double. Shape g [rows, out], x
    // [rows, in].
    virtual Matrix<double> change_dots(std::span<const RowSegment> segments, const Tensor& g, const Tensor& x,
                                       std::span<const PackedChange* const> changes) = 0;

    // Σ_t weights[t] g_t x_tᵀ  [out, in], in double beyond short chains.
    virtual Matrix<double> weighted_gradient(const Tensor& g, const Tensor& x,
                                             std::span<const double> weights) = 0;

    // sums += Σ_t weights[t] x_t x_tᵀ  [n, n], in double beyond short chains of rows of one window: the same
    // bits however windows come in batches. Shape x [rows, n], weights [rows], or empty: all 1.
    virtual void add_gram(const Batch& batch, const Tensor& x, std::span<const double> weights,
                          SymmetricMatrix& sums) = 0;
};

// Own kernels for AVX-512 or AVX2, and for bf16 products AMX or AVX512_BF16, chosen at run time. Throws Error
// where the processor lacks what the options need. The pool must outlive the backend.
std::unique_ptr<Backend> make_cpu_backend(ThreadPool& pool, const CpuOptions& options = {});

// Naive loops in double: slow, the truth that the others are compared with.
std::unique_ptr<Backend> make_reference_backend();

}  // namespace assay::compute
