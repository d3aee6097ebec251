// The gradient kernels' source, compiled once per instruction set under the rule of kernels_impl.h.
#pragma once

#include "compute/cpu/kernels_impl.h"

namespace assay::compute {
namespace {

template <class Isa>
struct GradientKernelSet : KernelSet<Isa> {
    using Base = KernelSet<Isa>;
    using Base::exp;
    using Base::kPanel;
    using Base::kQueryTile;
    using Base::kRows;
    using Base::kWidth;
    using Base::load;
    using Base::load_tail;
    using Base::round_up;
    using Base::splat;
    using Base::store;
    using Base::sum_lanes;
    using Base::widen;
    using Base::within;
    using typename Base::DoubleVec;
    using typename Base::Product;
    using typename Base::Vec;
    static constexpr std::int64_t kTile = kRows * kPanel;  // floats of an outer product's tile

    static double dot(const float* a, const float* b, std::int64_t n) {
        DoubleVec sums{};
        std::int64_t i = 0;
        for (; i + kWidth / 2 <= n; i += kWidth / 2) sums += widen(a + i) * widen(b + i);
        double sum = sum_lanes(sums);
        for (; i < n; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
        return sum;
    }

    // The lanes in double, the lower half plus the upper one.
    static DoubleVec widen_sum(Vec v) {
        float lanes[kWidth];
        store(lanes, v);
        return widen(lanes) + widen(lanes + kWidth / 2);
    }

    static void add(const float* a, const float* b, std::int64_t n, float* y) {
        for (std::int64_t c = 0; c < n; ++c) y[c] = a[c] + b[c];
    }
    static void scale(const float* x, std::int64_t n, float weight, float* y) {
        for (std::int64_t c = 0; c < n; ++c) y[c] = weight * x[c];
    }

    static void rms_norm(const float* x, const float* weight, std::int64_t n, double eps, const float* g_y,
                         const float* base, float* g_x) {
        DoubleVec products{};
        std::int64_t i = 0;
        for (; i + kWidth / 2 <= n; i += kWidth / 2)
            products += widen(x + i) * widen(weight + i) * widen(g_y + i);
        double sum = sum_lanes(products);
        for (; i < n; ++i)
            sum += static_cast<double>(x[i]) * static_cast<double>(weight[i]) * static_cast<double>(g_y[i]);
        const auto size = static_cast<double>(n);
        const double f = 1.0 / __builtin_sqrt(dot(x, x, n) / size + eps);
        const auto factor = static_cast<float>(f), shrink = static_cast<float>(f * f * f / size * sum);
        if (base == nullptr) {
            for (std::int64_t c = 0; c < n; ++c) g_x[c] = factor * weight[c] * g_y[c] - x[c] * shrink;
        } else {
            for (std::int64_t c = 0; c < n; ++c)
                g_x[c] = base[c] + (factor * weight[c] * g_y[c] - x[c] * shrink);
        }
    }

    // An activation and its derivative.
    struct Slope {
        Vec value, derivative;
    };
    static Slope silu(Vec x) {
        const Vec s = Base::sigmoid(x);
        return {x * s, s * (splat(1.0f) + x * (splat(1.0f) - s))};
    }
    // Of x · sigmoid(2u), u = √(2/π) (x + 0.044715 x³).
    static Slope gelu_tanh(Vec x) {
        const Vec k = splat(0.797884560802865356f), u = k * (x + splat(0.044715f) * x * x * x);
        const Vec twice = k * (splat(2.0f) + splat(6 * 0.044715f) * x * x);
        const Vec s = Base::sigmoid(u + u);
        return {x * s, s * (splat(1.0f) + x * (splat(1.0f) - s) * twice)};
    }

    template <Slope (*kActivation)(Vec)>
    static void gated(const float* gate, const float* up, const float* g_y, std::int64_t n, float* g_gate,
                      float* g_up) {
        std::int64_t i = 0;
        for (; i + kWidth <= n; i += kWidth) {
            const Slope slope = kActivation(load(gate + i));
            const Vec g = load(g_y + i), g_activation = g * load(up + i);
            store(g_gate + i, g_activation * slope.derivative);
            store(g_up + i, g * slope.value);
        }
        if (i == n) return;
        const Slope slope = kActivation(load_tail(gate + i, n - i, 0));
        const Vec g = load_tail(g_y + i, n - i, 0), g_activation = g * load_tail(up + i, n - i, 0);
        const Vec first = g_activation * slope.derivative, second = g * slope.value;
        for (std::int64_t k = 0; k < n - i; ++k) {
            g_gate[i + k] = first[k];
            g_up[i + k] = second[k];
        }
    }

    // Where the parts of an attention gradient's scratch lie, in floats. Rows of channels lie `row` apart,
    // rows of weights `wide`: never powers of two, which would map all rows to the same cache sets.
    struct Parts {
        std::int64_t n, d, row, wide;  // keys and channels, padded
        std::int64_t key_panels, value_panels, keys, g_keys, g_values, query, g_out, g_query, weights,
            g_weights, slopes, total;
    };
    static Parts parts_of(const AttentionGradientTask& t) {
        Parts s{};
        const std::int64_t head_dim = t.forward.head_dim;
        s.n = round_up(t.forward.rows);
        s.d = round_up(head_dim);
        s.row = s.d + kWidth;
        s.wide = s.n + kWidth;
        s.value_panels = s.key_panels + s.n * head_dim;
        s.keys = s.value_panels + s.n * head_dim;
        s.g_keys = s.keys + s.n * s.row;
        s.g_values = s.g_keys + (s.n + kRows) * s.row;
        s.query = s.g_values + (s.n + kRows) * s.row;
        s.g_out = s.query + kQueryTile * s.row;
        s.g_query = s.g_out + kQueryTile * s.row;
        s.weights = s.g_query + kQueryTile * s.row;
        s.g_weights = s.weights + kQueryTile * s.wide;
        s.slopes = s.g_weights + kQueryTile * s.wide;
        s.total = s.slopes + s.wide;
        return s;
    }
    static std::int64_t attention_scratch(const AttentionGradientTask& t) { return parts_of(t).total; }

    // out = scale · rotᵀ(g): the gradient of what rotate() took, from that of what it gave.
    static void rotate_back(const AttentionTask& t, const float* g, std::int64_t position, float scale,
                            float* out) {
        for (std::int64_t i = 2 * t.half; i < t.head_dim; ++i) out[i] = g[i] * scale;
        const float* cosines = t.cosines + position * t.half;
        const float* sines = t.sines + position * t.half;
        for (std::int64_t i = 0; i < t.half; ++i) {
            const float x = g[i], y = g[i + t.half];
            out[i] = (x * cosines[i] + y * sines[i]) * scale;
            out[i + t.half] = (y * cosines[i] - x * sines[i]) * scale;
        }
    }

    static void fill(float* x, std::int64_t begin, std::int64_t end, float value) {
        for (std::int64_t i = begin; i < end; ++i) x[i] = value;
    }

    // Rows [n, channels] as panels [channels, kPanel] of kPanel rows.
    static void pack_panels(const float* rows, std::int64_t stride, std::int64_t n, std::int64_t channels,
                            float* panels) {
        for (std::int64_t p = 0; p < n; p += kPanel, panels += kPanel * channels) {
            const std::int64_t width = n - p < kPanel ? n - p : kPanel;
            for (std::int64_t c = 0; c < channels; ++c) {
                for (std::int64_t j = 0; j < width; ++j) panels[c * kPanel + j] = rows[(p + j) * stride + c];
                fill(panels + c * kPanel, width, kPanel, 0.0f);
            }
        }
    }

    // Rotated keys, by rows and in panels; values in panels; their gradients at zero.
    static void begin_attention(const AttentionTask& t, const Parts& s, float* scratch) {
        float* keys = scratch + s.keys;
        for (std::int64_t j = 0; j < s.n; ++j) {
            if (j < t.rows) Base::rotate(t, t.k + j * t.k_stride, j, 1.0f, keys + j * s.row);
            fill(keys + j * s.row, j < t.rows ? t.head_dim : 0, s.d, 0.0f);
        }
        pack_panels(keys, s.row, t.rows, t.head_dim, scratch + s.key_panels);
        pack_panels(t.v, t.v_stride, t.rows, t.head_dim, scratch + s.value_panels);
        fill(scratch, s.g_keys, s.query, 0.0f);
    }

    // In place over keys [begin, end) of [0, padded): weights exp(..) -> p = weights · share, g_weights -> p
    // (g_weights - mean) and times slopes, where they are given; zero elsewhere.
    struct WeightRow {
        float *weights, *g_weights;
        const float* slopes;
        std::int64_t begin, end, padded;
    };
    static void softmax_backward(const WeightRow& w, float share, float mean) {
        for (std::int64_t i = 0; i < w.padded; i += kWidth) {
            if (i + kWidth <= w.begin || i >= w.end) {
                store(w.weights + i, Vec{});
                store(w.g_weights + i, Vec{});
                continue;
            }
            const Vec p = load(w.weights + i) * splat(share);
            Vec g = p * (load(w.g_weights + i) - splat(mean));
            if (w.slopes != nullptr) g *= load(w.slopes + i);
            const bool is_cut = i < w.begin || i + kWidth > w.end;
            store(w.weights + i, p);
            store(w.g_weights + i, is_cut ? within(g, w.begin - i, w.end - i, 0.0f) : g);
        }
    }

    // Rows [r0, r0 + rows) of query head h of the group; keys from `first` on.
    struct QueryTile {
        std::int64_t h, r0, rows, first, keys;
        // Keys up to the last row of the kRows from r on.
        std::int64_t seen_by(std::int64_t r) const {
            return r0 + (r + kRows < rows ? r + kRows : rows) - first;
        }
    };

    // Scores and the gradients of the weights, then what softmax and softcap make of them.
    static void weigh(const AttentionGradientTask& task, const Parts& s, const QueryTile& q, float* scratch) {
        const AttentionTask& t = task.forward;
        float *query = scratch + s.query, *g_out = scratch + s.g_out;
        float *weights = scratch + s.weights, *g_weights = scratch + s.g_weights;
        float* slopes = t.softcap != 0.0f ? scratch + s.slopes : nullptr;
        for (std::int64_t p = 0; p < q.keys; p += kPanel) {
            const std::int64_t panel = (q.first + p) * t.head_dim;
            for (std::int64_t r = 0; r < q.rows; r += kRows) {
                if (p >= q.seen_by(r)) continue;
                Product product{.a = query + r * s.row,
                                .a_row = s.row,
                                .panel = scratch + s.key_panels + panel,
                                .depth = t.head_dim,
                                .c = weights + r * s.wide + p,
                                .c_stride = s.wide};
                Base::multiply(product);
                product.a = g_out + r * s.row;
                product.panel = scratch + s.value_panels + panel;
                product.c = g_weights + r * s.wide + p;
                Base::multiply(product);
            }
        }
        for (std::int64_t r = 0; r < q.rows; ++r) {
            const std::int64_t last = q.r0 + r, seen = last < t.window ? last + 1 : t.window;
            const WeightRow row{weights + r * s.wide,      g_weights + r * s.wide, slopes,
                                last + 1 - seen - q.first, last + 1 - q.first,     q.keys + kWidth};
            if (slopes != nullptr) {
                Base::softcap(row.weights, q.keys, t.softcap);
                const float inverse = 1.0f / t.softcap;
                for (std::int64_t i = 0; i < q.keys; ++i) {
                    const float share = row.weights[i] * inverse;
                    slopes[i] = 1.0f - share * share;
                }
            }
            const float sum = Base::exponentiate(row.weights, row.begin, row.end, q.keys);
            const std::int64_t at = last * task.out_stride + q.h * t.head_dim;
            softmax_backward(row, 1.0f / sum,
                             static_cast<float>(dot(task.g_out + at, task.out + at, t.head_dim)));
        }
    }

    static __attribute__((noinline)) void multiply_strided(const Product& p) {
        Base::template multiply_rows<false>(std::make_integer_sequence<int, kRows>{}, p);
    }
    static __attribute__((noinline)) void multiply_add(const Product& p) {
        Base::template multiply_rows<true>(std::make_integer_sequence<int, kRows>{}, p);
    }

    // The gradients of the tile's queries, and what it adds to those of keys and values.
    static void spread(const AttentionGradientTask& task, const Parts& s, const QueryTile& q,
                       float* scratch) {
        const AttentionTask& t = task.forward;
        float *weights = scratch + s.weights, *g_weights = scratch + s.g_weights;
        for (std::int64_t c = 0; c < s.d; c += kPanel) {
            for (std::int64_t r = 0; r < q.rows; r += kRows) {
                multiply_strided({.a = g_weights + r * s.wide,
                                  .a_row = s.wide,
                                  .panel = scratch + s.keys + q.first * s.row + c,
                                  .panel_stride = s.row,
                                  .depth = q.seen_by(r),
                                  .c = scratch + s.g_query + r * s.row + c,
                                  .c_stride = s.row});
            }
            for (std::int64_t j = 0; j < q.keys; j += kRows) {
                const std::int64_t key = q.first + j, start = key > q.r0 ? key - q.r0 : 0;
                if (start >= q.rows) break;  // no row sees it
                Product product{.a = g_weights + start * s.wide + j,
                                .a_row = 1,
                                .a_depth = s.wide,
                                .panel = scratch + s.query + start * s.row + c,
                                .panel_stride = s.row,
                                .depth = q.rows - start,
                                .c = scratch + s.g_keys + key * s.row + c,
                                .c_stride = s.row};
                multiply_add(product);
                product.a = weights + start * s.wide + j;
                product.panel = scratch + s.g_out + start * s.row + c;
                product.c = scratch + s.g_values + key * s.row + c;
                multiply_add(product);
            }
        }
        for (std::int64_t r = 0; r < q.rows; ++r) {
            rotate_back(t, scratch + s.g_query + r * s.row, q.r0 + r, t.scale,
                        task.g_q + (q.r0 + r) * task.g_q_stride + q.h * t.head_dim);
        }
    }

    static void attend_backward(const AttentionGradientTask& task, const Parts& s, std::int64_t h,
                                std::int64_t r0, float* scratch) {
        const AttentionTask& t = task.forward;
        const std::int64_t rows = t.rows - r0 < kQueryTile ? t.rows - r0 : kQueryTile;
        const std::int64_t first = Base::first_key(t, r0);
        const QueryTile tile{h, r0, rows, first, round_up(r0 + rows - first)};
        for (std::int64_t r = 0; r < kQueryTile; ++r) {
            float *query = scratch + s.query + r * s.row, *g_out = scratch + s.g_out + r * s.row;
            const std::int64_t channels = r < rows ? t.head_dim : 0;
            if (r < rows) {
                Base::rotate(t, t.q + (r0 + r) * t.q_stride + h * t.head_dim, r0 + r, t.scale, query);
                const float* g = task.g_out + (r0 + r) * task.out_stride + h * t.head_dim;
                for (std::int64_t c = 0; c < t.head_dim; ++c) g_out[c] = g[c];
            }
            fill(query, channels, s.d, 0.0f);
            fill(g_out, channels, s.d, 0.0f);
        }
        weigh(task, s, tile, scratch);
        spread(task, s, tile, scratch);
    }

    static void attention(const AttentionGradientTask& task, float* scratch) {
        const AttentionTask& t = task.forward;
        const Parts s = parts_of(task);
        begin_attention(t, s, scratch);
        for (std::int64_t h = 0; h < t.group; ++h) {
            for (std::int64_t r0 = 0; r0 < t.rows; r0 += kQueryTile) attend_backward(task, s, h, r0, scratch);
        }
        for (std::int64_t j = 0; j < t.rows; ++j) {
            rotate_back(t, scratch + s.g_keys + j * s.row, j, 1.0f, task.g_k + j * task.g_k_stride);
            const float* g_value = scratch + s.g_values + j * s.row;
            for (std::int64_t c = 0; c < t.head_dim; ++c) task.g_v[j * task.g_v_stride + c] = g_value[c];
        }
    }

    // Up to kWidth tokens: their probabilities, zero past the last one, and the softcap's slopes.
    struct Predictions {
        Vec p, slope;
    };
    // ln Σ comes in two floats: the difference to a logit near it keeps its digits.
    static Predictions predict(Vec z, std::int64_t n, Vec high, Vec low, float softcap) {
        Predictions out{exp((z - high) - low), splat(1.0f)};
        if (n < kWidth) out.p = within(out.p, 0, n, 0.0f);
        if (softcap != 0.0f) {
            const Vec share = z * splat(1.0f / softcap);
            out.slope -= share * share;
        }
        return out;
    }

    // The first of n tokens at which the sum of p, `passed` before them, exceeds `uniform`; it does at the
    // last one.
    static std::int64_t first_above(Vec p, std::int64_t n, double passed, double uniform) {
        for (std::int64_t i = 0; i + 1 < n; ++i) {
            passed += static_cast<double>(p[i]);
            if (passed > uniform) return i;
        }
        return n - 1;
    }

    static void label(float* logits, std::int64_t n, LabelRow* row) {
        const auto rounded = static_cast<float>(row->log_sum);
        const Vec high = splat(rounded);
        const Vec low = splat(static_cast<float>(row->log_sum - static_cast<double>(rounded)));
        for (std::int64_t i = 0; i < n; i += kWidth) {
            const std::int64_t count = n - i < kWidth ? n - i : kWidth;
            const Vec z = count == kWidth ? load(logits + i) : load_tail(logits + i, count, 0.0f);
            const Predictions tokens = predict(z, count, high, low, row->softcap);
            Vec g = -tokens.p * tokens.slope;
            const double sum = sum_lanes(widen_sum(tokens.p));
            if (!row->found && row->passed + sum > row->uniform) {
                const std::int64_t which = first_above(tokens.p, count, row->passed, row->uniform);
                row->found = true;
                row->label = i + which;
                g[which] = (1.0f - tokens.p[which]) * tokens.slope[which];
            }
            row->passed += sum;
            if (count == kWidth) {
                store(logits + i, g);
            } else {
                for (std::int64_t k = 0; k < count; ++k) logits[i + k] = g[k];
            }
        }
    }

    // tile = Σ_t g_t x_tᵀ over packed rows.
    static void outer_tile(const float* g, const float* x, std::int64_t rows, float* tile) {
        Base::template multiply_rows<false>(std::make_integer_sequence<int, kRows>{}, {.a = g,
                                                                                       .a_row = 1,
                                                                                       .a_depth = kRows,
                                                                                       .panel = x,
                                                                                       .panel_stride = kPanel,
                                                                                       .depth = rows,
                                                                                       .c = tile,
                                                                                       .c_stride = kPanel});
    }

    // Adds ⟨tile, changes[f]⟩, lane by lane, to sums of kWidth / 2 doubles each. Several changes share what
    // is loaded of the tile; two chains each hide the multiply-adds' latency. These are named, not left to
    // the compiler: a change's bits must not depend on how many others there are.
    template <int... F>
    static inline __attribute__((always_inline)) void add_dots(std::integer_sequence<int, F...>,
                                                               const float* tile, const float* const* changes,
                                                               double* sums) {
        Vec even[sizeof...(F)] = {}, odd[sizeof...(F)] = {};
        for (std::int64_t i = 0; i < kTile; i += 2 * kWidth) {
            const Vec low = load(tile + i), high = load(tile + i + kWidth);
            ((even[F] = Isa::multiply_add(low, load(changes[F] + i), even[F]),
              odd[F] = Isa::multiply_add(high, load(changes[F] + i + kWidth), odd[F])),
             ...);
        }
        const auto add_one = [&](Vec v, double* sum) {
            DoubleVec total;
            __builtin_memcpy(&total, sum, sizeof(total));
            total += widen_sum(v);
            __builtin_memcpy(sum, &total, sizeof(total));
        };
        (add_one(even[F] + odd[F], sums + F * (kWidth / 2)), ...);
    }

    static void change_tile(const ChangeTileTask& t) {
        alignas(64) float tile[kTile];
        const float *g = t.g, *x = t.x;
        double* sums = t.sums;
        for (std::int64_t i = 0; i < t.pieces; ++i) {
            outer_tile(g, x, t.piece_rows[i], tile);
            g += t.piece_rows[i] * kRows;
            x += t.piece_rows[i] * kPanel;
            std::int64_t f = 0;
            for (; f + 4 <= t.change_count; f += 4, sums += 4 * (kWidth / 2))
                add_dots(std::make_integer_sequence<int, 4>{}, tile, t.changes + f, sums);
            for (; f < t.change_count; ++f, sums += kWidth / 2)
                add_dots(std::make_integer_sequence<int, 1>{}, tile, t.changes + f, sums);
        }
    }

    static void add_outer(const float* g, const float* x, std::int64_t rows, std::int64_t chain,
                          double* sums) {
        alignas(64) float tile[kTile];
        for (std::int64_t r = 0; r < rows; r += chain) {
            outer_tile(g + r * kRows, x + r * kPanel, rows - r < chain ? rows - r : chain, tile);
            for (std::int64_t i = 0; i < kTile; ++i) sums[i] += static_cast<double>(tile[i]);
        }
    }

    static constexpr GradientKernels table() {
        return {kRows, kPanel, kWidth / 2,        rms_norm,  gated<silu>, gated<gelu_tanh>, dot,
                add,   scale,  attention_scratch, attention, label,       change_tile,      add_outer};
    }
};

}  // namespace
}  // namespace assay::compute
