// The CPU backend's own kernels, one table per instruction set. All pointers are f32, rows contiguous.
#pragma once

#include <cstdint>

namespace assay::compute {

// Causal attention of one group of query heads that share a key/value head, for rows [first_row, first_row +
// rows) of one window, counted by their positions. q, k, v, out point at the group's first head in the row
// that has position 0, were all rows before the window's own in one piece with them; strides are in floats.
struct AttentionTask {
    const float* q = nullptr;
    const float* k = nullptr;
    const float* v = nullptr;
    float* out = nullptr;
    std::int64_t q_stride = 0;
    std::int64_t k_stride = 0;
    std::int64_t v_stride = 0;
    std::int64_t out_stride = 0;
    const float* cosines = nullptr;  // [positions, half]; null: no rotation
    const float* sines = nullptr;
    std::int64_t half = 0;
    std::int64_t head_dim = 0;
    std::int64_t group = 0;  // query heads
    std::int64_t first_row = 0;
    std::int64_t rows = 0;
    const std::int64_t* rows_before =
        nullptr;  // where positions [0, before) of k and v are: rows, counted from there
    std::int64_t before = 0;
    std::int64_t own_row = 0;  // of position 0, as q, k, v and out have it
    std::int64_t window = 0;   // keys that a row sees, itself included; at least 1
    float scale = 0;
    float softcap = 0;  // 0: none
};

// Running sums of one row of logits, fed a slice of the vocabulary at a time (online softmax, Milakov &
// Gimelshein 2018).
struct LogitSums {
    float max = -3.0e38f;   // largest logit so far
    double sum = 0;         // Σ exp(logit - max)
    double weighted = 0;    // Σ exp(a - max of a)·(a - b), for a variant b of a reference a
    double rescale = 1;     // what the last slice multiplied older sums by
    std::int32_t top1 = 0;  // id of the largest logit, the lowest on ties
};

// Gradients of one group of query heads over all rows of one window; strides as in `forward`, whose `out` is
// not used and whose rows are all.
struct AttentionGradientTask {
    AttentionTask forward;
    const float* out = nullptr;
    const float* g_out = nullptr;
    float* g_q = nullptr;
    float* g_k = nullptr;
    float* g_v = nullptr;
    std::int64_t out_stride = 0;  // of out and g_out
    std::int64_t g_q_stride = 0;
    std::int64_t g_k_stride = 0;
    std::int64_t g_v_stride = 0;
};

// One row of label_gradient(), for one part of the vocabulary.
struct LabelRow {
    double log_sum = 0;
    double uniform = 0;
    double passed = 0;        // grows by the part's Σ p
    std::int64_t label = -1;  // position in this part; -1: none
    bool found = false;       // in this part or before
    float softcap = 0;        // 0: none
};

// One tile of a change, or of several, against all pieces of the rows: adds ⟨Σ_t g_t x_tᵀ, change⟩ to `sums`.
struct ChangeTileTask {
    const float* g = nullptr;                  // [rows, tile_rows]
    const float* x = nullptr;                  // [rows, tile_columns]
    const std::int64_t* piece_rows = nullptr;  // one piece's rows after the other's
    std::int64_t pieces = 0;
    const float* const* changes = nullptr;  // each [tile_rows, tile_columns]
    std::int64_t change_count = 0;
    double* sums = nullptr;  // [pieces, changes, lanes], lanes to be added up
};

// The kernels of gradients. Tiles of an outer product are [tile_rows, tile_columns].
struct GradientKernels {
    std::int64_t tile_rows, tile_columns, lanes;
    // g_x = base + gradient; base may be null or g_x.
    void (*rms_norm)(const float* x, const float* weight, std::int64_t n, double eps, const float* g_y,
                     const float* base, float* g_x);
    void (*gated_silu)(const float* gate, const float* up, const float* g_y, std::int64_t n, float* g_gate,
                       float* g_up);
    void (*gated_gelu_tanh)(const float* gate, const float* up, const float* g_y, std::int64_t n,
                            float* g_gate, float* g_up);
    double (*dot)(const float* a, const float* b, std::int64_t n);
    void (*add)(const float* a, const float* b, std::int64_t n, float* y);
    // y = weight · x.
    void (*scale)(const float* x, std::int64_t n, float weight, float* y);
    // Floats of scratch that a task needs, and the task itself. The scratch is 64-byte aligned.
    std::int64_t (*attention_scratch)(const AttentionGradientTask& task);
    void (*attention)(const AttentionGradientTask& task, float* scratch);
    // In place over one row: logits -> ([token = label] - p) · slope of the softcap.
    void (*label)(float* logits, std::int64_t n, LabelRow* row);
    void (*change_tile)(const ChangeTileTask& task);
    // sums [tile_rows, tile_columns] += Σ_t g_t x_tᵀ over packed rows, in double beyond chains of so many.
    void (*add_outer)(const float* g, const float* x, std::int64_t rows, std::int64_t chain, double* sums);
};

// Some rows of a tensor, for Backend::activation_sums(). What is per channel has room for a whole number of
// vectors, begins at 0, and takes the rows' share.
struct ActivationTask {
    static constexpr std::int64_t kPadding = 16;  // floats of the widest vector

    const float* x = nullptr;  // [rows, cols]
    std::int64_t rows = 0, cols = 0;
    float* channel_max = nullptr;      // [cols, padded]
    float* chain = nullptr;            // [cols, padded]: scratch
    double* channel_energy = nullptr;  // [cols]
    float* row_max = nullptr;          // [rows]
    double sum = 0, magnitudes = 0, cubes = 0, fourths = 0;
};

// The kernels that make codes of n inputs; x / divisors where divisors is not null.
struct RoundingKernels {
    // The largest magnitude; NaN where one of them is NaN or infinite.
    float (*largest)(const float* x, const float* divisors, std::int64_t n);
    // Codes of x / divisors / scale, rounded half to even and cut at the ends; of NaN any code.
    void (*round_int8)(const float* x, const float* divisors, std::int64_t n, float scale, float* codes);
    void (*round_e4m3)(const float* x, const float* divisors, std::int64_t n, float scale, float* codes);
};

struct Kernels {
    const char* name;
    GradientKernels gradients;
    RoundingKernels rounding;
    // `residual` is added where it is not null.
    void (*rms_norm)(const float* x, const float* weight, std::int64_t n, double eps, const float* residual,
                     float* y);
    void (*gated_silu)(const float* gate, const float* up, std::int64_t n, float* y);
    void (*gated_gelu_tanh)(const float* gate, const float* up, std::int64_t n, float* y);
    // x = cap · tanh(x / cap), in place.
    void (*softcap)(float* x, std::int64_t n, float cap);
    // sum += weight · x.
    void (*add_scaled)(const float* x, std::int64_t n, float weight, float* sum);
    // Adds Σ (b - a)² to error and Σ a² to reference.
    void (*squared_error)(const float* a, const float* b, std::int64_t n, double* error, double* reference);
    void (*activation_sums)(ActivationTask* task);
    // Floats of scratch that a task needs, and the task itself. The scratch is 64-byte aligned.
    std::int64_t (*attention_scratch)(const AttentionTask& task);
    void (*attention)(const AttentionTask& task, float* scratch);
    // Feeds logits x[0, n) of ids first_id.. to `sums`; where `exponentials` is given, keeps exp(x - max)
    // there.
    void (*add_logits)(const float* x, std::int64_t n, std::int32_t first_id, LogitSums* sums,
                       float* exponentials);
    // Adds Σ e·(a - b) to weighted, after multiplying it by `rescale` (of the reference's last slice).
    void (*add_divergence)(const float* e, const float* a, const float* b, std::int64_t n, double rescale,
                           double* weighted);
};

extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;

}  // namespace assay::compute
