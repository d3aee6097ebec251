// The kernels' source, compiled once per instruction set. Everything here is in an unnamed namespace and
// calls no inline function of another header: code built for AVX-512 must never be what the linker keeps for
// an AVX2 machine.
#pragma once

#include <utility>

#include "compute/cpu/kernels.h"

namespace assay::compute {
namespace {

// Isa names the vector types of one instruction set, and the registers kRows x kVectors of a GEMM's output
// tile.
template <class Isa>
struct KernelSet {
    using Vec = typename Isa::Vec;              // kWidth floats
    using Ints = typename Isa::Ints;            // kWidth ints
    using HalfVec = typename Isa::HalfVec;      // kWidth / 2 floats
    using DoubleVec = typename Isa::DoubleVec;  // kWidth / 2 doubles
    static constexpr int kWidth = Isa::kWidth, kRows = Isa::kRows, kVectors = Isa::kVectors;
    static constexpr std::int64_t kPanel = kWidth * kVectors;  // columns of a packed panel
    static constexpr std::int64_t kQueryTile = 48;             // a multiple of kRows
    static_assert(kQueryTile % kRows == 0);

    static Vec load(const float* p) {
        Vec v;
        __builtin_memcpy(&v, p, sizeof(v));
        return v;
    }
    static void store(float* p, Vec v) { __builtin_memcpy(p, &v, sizeof(v)); }
    static Vec splat(float x) { return x - Vec{}; }  // the form that compilers turn into one broadcast
    // b where one of them is not a number.
    static Vec larger(Vec a, Vec b) { return Isa::larger(a, b); }
    static Vec smaller(Vec a, Vec b) { return Isa::smaller(a, b); }
    // Pairwise: short chains of dependent operations.
    static float largest_lane(Vec v) {
        float lanes[kWidth];
        store(lanes, v);
        for (int half = kWidth / 2; half > 0; half /= 2) {
            for (int i = 0; i < half; ++i) lanes[i] = lanes[i] > lanes[i + half] ? lanes[i] : lanes[i + half];
        }
        return lanes[0];
    }
    static float sum_lanes(Vec v) {
        float lanes[kWidth];
        store(lanes, v);
        for (int half = kWidth / 2; half > 0; half /= 2) {
            for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
        }
        return lanes[0];
    }
    static double sum_lanes(DoubleVec v) {
        double sum = 0;
        for (int i = 0; i < kWidth / 2; ++i) sum += v[i];
        return sum;
    }
    static DoubleVec widen(const float* p) {
        HalfVec v;
        __builtin_memcpy(&v, p, sizeof(v));
        return Isa::widen(v);
    }

    // exp(x), relative error below 2e-7 for x in [-87, 88], the value at the nearer end outside. x = n ln2 +
    // r, |r| <= ln2/2, polynomial of Cephes expf (Moshier).
    static Vec exp(Vec x) {
        x = smaller(splat(88.0f), larger(splat(-87.0f), x));  // the order keeps a NaN
        const Vec shift = splat(12582912.0f);  // 1.5·2^23: adding it rounds to an integer in the low bits
        const Vec t = x * splat(1.44269504088896341f) + shift;
        const Vec n = t - shift;
        const Vec r = (x - n * splat(0.693359375f)) - n * splat(-2.12194440e-4f);
        Vec p = splat(1.9875691500e-4f);
        p = p * r + splat(1.3981999507e-3f);
        p = p * r + splat(8.3334519073e-3f);
        p = p * r + splat(4.1665795894e-2f);
        p = p * r + splat(1.6666665459e-1f);
        p = p * r + splat(5.0000001201e-1f);
        p = p * r * r + r + splat(1.0f);
        Ints bits, power;
        __builtin_memcpy(&bits, &p, sizeof(p));
        __builtin_memcpy(&power, &t, sizeof(t));
        bits += power << 23;
        __builtin_memcpy(&p, &bits, sizeof(p));
        return p;
    }

    // The last n < kWidth elements, padded with `fill`.
    static Vec load_tail(const float* p, std::int64_t n, float fill) {
        Vec v = splat(fill);
        for (std::int64_t i = 0; i < n; ++i) v[i] = p[i];
        return v;
    }

    static void rms_norm(const float* x, const float* weight, std::int64_t n, double eps,
                         const float* residual, float* y) {
        DoubleVec squares{};
        std::int64_t i = 0;
        for (; i + kWidth / 2 <= n; i += kWidth / 2) {
            const DoubleVec v = widen(x + i);
            squares += v * v;
        }
        double sum = sum_lanes(squares);
        for (; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
        const auto factor = static_cast<float>(1.0 / __builtin_sqrt(sum / static_cast<double>(n) + eps));
        if (residual == nullptr) {
            for (std::int64_t c = 0; c < n; ++c) y[c] = x[c] * factor * weight[c];
        } else {
            for (std::int64_t c = 0; c < n; ++c) y[c] = residual[c] + x[c] * factor * weight[c];
        }
    }

    static Vec sigmoid(Vec x) {
        const Vec one = splat(1.0f);
        return one / (one + exp(-x));
    }
    // Relative error below 5e-7: the polynomial of Cephes tanhf (Moshier) near 0, 1 - 2/(1 + exp(2|x|)) else.
    static Vec tanh(Vec x) {
        const Vec one = splat(1.0f), two = splat(2.0f), size = x < Vec{} ? -x : x, z = x * x;
        Vec p = splat(-5.70498872745e-3f);
        p = p * z + splat(2.06390887954e-2f);
        p = p * z - splat(5.37397155531e-2f);
        p = p * z + splat(1.33314422036e-1f);
        p = p * z - splat(3.33332819422e-1f);
        const Vec near = p * z * x + x, far = one - two / (one + exp(two * size));
        return size < splat(0.625f) ? near : (x < Vec{} ? -far : far);
    }
    static Vec silu(Vec x) { return x / (splat(1.0f) + exp(-x)); }
    // x/2 · (1 + tanh(u)) = x · sigmoid(2u): keeps its relative accuracy far below zero.
    static Vec gelu_tanh(Vec x) {
        const Vec u = splat(0.797884560802865356f) * (x + splat(0.044715f) * x * x * x);
        return x * sigmoid(u + u);
    }

    template <Vec (*kActivation)(Vec)>
    static void gated(const float* gate, const float* up, std::int64_t n, float* y) {
        std::int64_t i = 0;
        for (; i + kWidth <= n; i += kWidth) store(y + i, kActivation(load(gate + i)) * load(up + i));
        if (i == n) return;
        const Vec r = kActivation(load_tail(gate + i, n - i, 0)) * load_tail(up + i, n - i, 0);
        for (std::int64_t k = 0; k < n - i; ++k) y[i + k] = r[k];
    }

    static void softcap(float* x, std::int64_t n, float cap) {
        const Vec c = splat(cap), inverse = splat(1.0f / cap);
        std::int64_t i = 0;
        for (; i + kWidth <= n; i += kWidth) store(x + i, c * tanh(load(x + i) * inverse));
        if (i == n) return;
        const Vec r = c * tanh(load_tail(x + i, n - i, 0) * inverse);
        for (std::int64_t k = 0; k < n - i; ++k) x[i + k] = r[k];
    }

    static void add_scaled(const float* x, std::int64_t n, float weight, float* sum) {
        for (std::int64_t c = 0; c < n; ++c) sum[c] += weight * x[c];
    }

    static void squared_error(const float* a, const float* b, std::int64_t n, double* error,
                              double* reference) {
        DoubleVec errors{}, squares{};
        std::int64_t i = 0;
        for (; i + kWidth / 2 <= n; i += kWidth / 2) {
            const DoubleVec x = widen(a + i), d = widen(b + i) - x;
            errors += d * d;
            squares += x * x;
        }
        double e = sum_lanes(errors), s = sum_lanes(squares);
        for (; i < n; ++i) {
            const double x = a[i], d = static_cast<double>(b[i]) - x;
            e += d * d;
            s += x * x;
        }
        *error += e;
        *reference += s;
    }

    // The lanes' halves, added to each other in double.
    static DoubleVec fold(Vec v) {
        float lanes[kWidth];
        store(lanes, v);
        return widen(lanes) + widen(lanes + kWidth / 2);
    }

    // Sums of a task in double.
    struct ActivationTotals {
        DoubleVec sum{}, magnitudes{}, cubes{}, fourths{};
    };

    // A row's part of at most kChain vectors: chains in f32 that long, powers above the second in double.
    static float add_activations(ActivationTask& t, const float* x, std::int64_t first, std::int64_t end,
                                 ActivationTotals& totals) {
        Vec sum{}, magnitudes{}, tops{};
        DoubleVec cubes{}, fourths{}, more_cubes{}, more_fourths{};
        float *channel_max = t.channel_max, *energies = t.chain;
        float tail[kWidth];
        for (std::int64_t c = first; c < end; c += kWidth) {
            const float* p = x + c;
            if (end - c < kWidth) {
                store(tail, load_tail(p, end - c, 0));
                p = tail;
            }
            const Vec v = load(p), size = larger(v, -v);
            sum += v;
            magnitudes += size;
            tops = larger(tops, size);
            store(channel_max + c, larger(load(channel_max + c), size));
            store(energies + c, load(energies + c) + v * v);
            const DoubleVec a = widen(p), b = widen(p + kWidth / 2), aa = a * a, bb = b * b;
            cubes += aa * a;
            more_cubes += bb * b;
            fourths += aa * aa;
            more_fourths += bb * bb;
        }
        totals.cubes += cubes + more_cubes;
        totals.fourths += fourths + more_fourths;
        totals.sum += fold(sum);
        totals.magnitudes += fold(magnitudes);
        return largest_lane(tops);
    }

    static void activation_sums(ActivationTask* t) {
        constexpr std::int64_t kChain = 64, kChainRows = 16;
        ActivationTotals totals;
        for (std::int64_t row = 0; row < t->rows; row += kChainRows) {
            for (std::int64_t c = 0; c < t->cols; ++c) t->chain[c] = 0;
            const std::int64_t end = row + kChainRows < t->rows ? row + kChainRows : t->rows;
            for (std::int64_t r = row; r < end; ++r) {
                float top = 0;
                for (std::int64_t c = 0; c < t->cols; c += kChain * kWidth) {
                    const std::int64_t last = c + kChain * kWidth < t->cols ? c + kChain * kWidth : t->cols;
                    const float own = add_activations(*t, t->x + r * t->cols, c, last, totals);
                    top = own > top ? own : top;
                }
                t->row_max[r] = top;
            }
            for (std::int64_t c = 0; c < t->cols; ++c)
                t->channel_energy[c] += static_cast<double>(t->chain[c]);
        }
        t->sum = sum_lanes(totals.sum);
        t->magnitudes = sum_lanes(totals.magnitudes);
        t->cubes = sum_lanes(totals.cubes);
        t->fourths = sum_lanes(totals.fourths);
    }

    // Operands of c[kRows, kPanel] = a[kRows, depth] · panel[depth, kPanel].
    struct Product {
        const float* a = nullptr;
        std::int64_t a_row = 0, a_depth = 1;  // floats from row to row, and along the depth
        const float* panel = nullptr;
        std::int64_t panel_stride = kPanel, depth = 0;
        float* c = nullptr;
        std::int64_t c_stride = 0;
    };

    // Adds to c where kAdd. The pack expansions make every index a constant, so that the compiler keeps all
    // accumulators in registers (it does not for unrolled loops over an array).
    template <bool kAdd, int... R>
    static inline __attribute__((always_inline)) void multiply_rows(std::integer_sequence<int, R...>,
                                                                    const Product& p) {
        static_assert(sizeof...(R) == kRows && kVectors == 2);
        Vec low[kRows] = {}, high[kRows] = {};
        if constexpr (kAdd)
            ((low[R] = load(p.c + R * p.c_stride), high[R] = load(p.c + R * p.c_stride + kWidth)), ...);
        const float *column = p.a, *panel = p.panel;
        const std::int64_t row = p.a_row, along = p.a_depth, stride = p.panel_stride;
        // No counter beside the pointers: registers for the rows' distances are scarce.
        for (const float* end = panel + p.depth * stride; panel != end; column += along, panel += stride) {
            const Vec b0 = load(panel), b1 = load(panel + kWidth);
            ((low[R] += splat(column[R * row]) * b0, high[R] += splat(column[R * row]) * b1), ...);
        }
        ((store(p.c + R * p.c_stride, low[R]), store(p.c + R * p.c_stride + kWidth, high[R])), ...);
    }
    // Of a left operand without gaps along the depth and a packed panel.
    static __attribute__((noinline)) void multiply(Product p) {
        p.a_depth = 1;
        p.panel_stride = kPanel;
        multiply_rows<false>(std::make_integer_sequence<int, kRows>{}, p);
    }

    static std::int64_t round_up(std::int64_t n) { return (n + kPanel - 1) / kPanel * kPanel; }

    // First key that any row from `row` on sees, at the start of its panel.
    static std::int64_t first_key(const AttentionTask& t, std::int64_t row) {
        return row < t.window ? 0 : (row - t.window + 1) / kPanel * kPanel;
    }

    // Where the parts of an attention task's scratch lie, in floats; keys and values from `first` on.
    struct Scratch {
        std::int64_t first, keys, values, query, weights, weights_stride, output, rows, total;
    };
    static Scratch scratch_layout(const AttentionTask& t) {
        Scratch s{};
        s.first = first_key(t, t.first_row);
        const std::int64_t n = round_up(t.first_row + t.rows - s.first), d = round_up(t.head_dim);
        s.values = s.keys + n * t.head_dim;
        s.query = s.values + n * d;
        s.weights = s.query + kQueryTile * d;
        s.weights_stride =
            n + kWidth;  // never a power of two, which would map all rows to the same cache sets
        s.output = s.weights + kQueryTile * s.weights_stride;
        s.rows = s.output + kQueryTile * d;
        s.total = s.rows + kPanel * t.head_dim;
        return s;
    }
    static std::int64_t attention_scratch(const AttentionTask& t) { return scratch_layout(t).total; }

    // out = scale · rot(head) for the row at `position`.
    static void rotate(const AttentionTask& t, const float* head, std::int64_t position, float scale,
                       float* out) {
        for (std::int64_t i = 2 * t.half; i < t.head_dim; ++i) out[i] = head[i] * scale;
        const float* cosines = t.cosines + position * t.half;
        const float* sines = t.sines + position * t.half;
        for (std::int64_t i = 0; i < t.half; ++i) {
            const float x = head[i], y = head[i + t.half];
            out[i] = (x * cosines[i] - y * sines[i]) * scale;
            out[i + t.half] = (y * cosines[i] + x * sines[i]) * scale;
        }
    }

    // The row of a position in k and v, counted from where they point.
    static std::int64_t row_of(const AttentionTask& t, std::int64_t position) {
        return position < t.before ? t.rows_before[position] - t.own_row : position;
    }

    // Keys as panels [head_dim, kPanel] of kPanel positions; values as panels [positions, kPanel] of kPanel
    // channels.
    static void pack_keys_values(const AttentionTask& t, const Scratch& s, float* scratch) {
        const std::int64_t n = t.first_row + t.rows - s.first, n_up = round_up(n),
                           d_up = round_up(t.head_dim);
        float* rows = scratch + s.rows;
        for (std::int64_t p = 0; p < n_up; p += kPanel) {
            float* panel = scratch + s.keys + p * t.head_dim;
            for (std::int64_t j = 0; j < kPanel; ++j) {
                float* row = rows + j * t.head_dim;
                const std::int64_t position = s.first + p + j;
                if (p + j < n)
                    rotate(t, t.k + row_of(t, position) * t.k_stride, position, 1.0f, row);
                else
                    for (std::int64_t c = 0; c < t.head_dim; ++c) row[c] = 0.0f;
            }
            for (std::int64_t c = 0; c < t.head_dim; ++c) {  // transposes within the first-level cache
                for (std::int64_t j = 0; j < kPanel; ++j) panel[c * kPanel + j] = rows[j * t.head_dim + c];
            }
        }
        for (std::int64_t c = 0; c < d_up; c += kPanel) {
            const std::int64_t width = t.head_dim - c < kPanel ? t.head_dim - c : kPanel;
            float* panel = scratch + s.values + c * n_up;
            for (std::int64_t j = 0; j < n; ++j, panel += kPanel) {
                const float* value = t.v + row_of(t, s.first + j) * t.v_stride + c;
                if (width == kPanel) {
                    for (std::int64_t i = 0; i < kPanel; i += kWidth) store(panel + i, load(value + i));
                    continue;
                }
                for (std::int64_t i = 0; i < kPanel; ++i) panel[i] = i < width ? value[i] : 0.0f;
            }
        }
    }

    // v where lanes lie in [begin, end), counted from v's first; `fill` elsewhere.
    static Vec within(Vec v, std::int64_t begin, std::int64_t end, float fill) {
        Ints lane;
        for (int i = 0; i < kWidth; ++i) lane[i] = i;
        const Ints first = static_cast<int>(begin) - Ints{}, last = static_cast<int>(end) - Ints{};
        return ((lane >= first) & (lane < last)) ? v : splat(fill);
    }

    // In place over weights [begin, end) of [0, padded): exp(x - max); zero elsewhere. Returns the sum.
    static float exponentiate(float* x, std::int64_t begin, std::int64_t end, std::int64_t padded) {
        const std::int64_t inside = begin / kWidth * kWidth;  // vectors before it see nothing
        Vec tops = splat(-3.0e38f);
        const auto is_cut = [&](std::int64_t i) { return i < begin || i + kWidth > end; };
        for (std::int64_t i = inside; i < end; i += kWidth) {
            const Vec v = load(x + i);
            tops = larger(tops, is_cut(i) ? within(v, begin - i, end - i, -3.0e38f) : v);
        }
        const Vec top = splat(largest_lane(tops));
        Vec sums{};
        for (std::int64_t i = 0; i < inside; i += kWidth) store(x + i, Vec{});
        std::int64_t i = inside;
        for (; i < end; i += kWidth) {
            const Vec power = exp(load(x + i) - top);
            const Vec e = is_cut(i) ? within(power, begin - i, end - i, 0.0f) : power;
            store(x + i, e);
            sums += e;
        }
        for (; i < padded; i += kWidth) store(x + i, Vec{});
        return sum_lanes(sums);
    }

    // Rows [r0, r0 + rows) of query head h of the group, against the packed keys and values.
    static void attend(const AttentionTask& t, const Scratch& s, std::int64_t h, std::int64_t r0,
                       std::int64_t rows, float* scratch) {
        const std::int64_t n_up = round_up(t.first_row + t.rows - s.first), d_up = round_up(t.head_dim);
        const std::int64_t first = first_key(t, r0), skipped = first - s.first;
        const std::int64_t keys = round_up(r0 + rows - first), stride = s.weights_stride;
        float *query = scratch + s.query, *weights = scratch + s.weights, *output = scratch + s.output;
        for (std::int64_t r = 0; r < kQueryTile; ++r) {
            float* q = query + r * d_up;
            if (r < rows)
                rotate(t, t.q + (r0 + r) * t.q_stride + h * t.head_dim, r0 + r, t.scale, q);
            else
                for (std::int64_t c = 0; c < t.head_dim; ++c) q[c] = 0.0f;
        }
        const auto seen_by = [&](std::int64_t r) {  // keys up to the last row of the kRows from r on
            return r0 + (r + kRows < rows ? r + kRows : rows) - first;
        };
        for (std::int64_t p = 0; p < keys; p += kPanel) {
            for (std::int64_t r = 0; r < rows; r += kRows) {
                if (p >= seen_by(r)) continue;
                multiply({.a = query + r * d_up,
                          .a_row = d_up,
                          .panel = scratch + s.keys + (skipped + p) * t.head_dim,
                          .depth = t.head_dim,
                          .c = weights + r * stride + p,
                          .c_stride = stride});
            }
        }
        float sums[kQueryTile];
        for (std::int64_t r = 0; r < rows; ++r) {
            const std::int64_t last = r0 + r, seen = last < t.window ? last + 1 : t.window;
            float* row = weights + r * stride;
            if (t.softcap != 0.0f) softcap(row, keys, t.softcap);
            sums[r] = exponentiate(row, last + 1 - seen - first, last + 1 - first, keys);
        }
        for (std::int64_t c = 0; c < d_up; c += kPanel) {
            const float* values = scratch + s.values + c * n_up + skipped * kPanel;
            for (std::int64_t r = 0; r < rows; r += kRows) {
                multiply({.a = weights + r * stride,
                          .a_row = stride,
                          .panel = values,
                          .depth = seen_by(r),
                          .c = output + r * d_up + c,
                          .c_stride = d_up});
            }
        }
        for (std::int64_t r = 0; r < rows; ++r) {
            float* out = t.out + (r0 + r) * t.out_stride + h * t.head_dim;
            const float share = 1.0f / sums[r];
            for (std::int64_t c = 0; c < t.head_dim; ++c) out[c] = output[r * d_up + c] * share;
        }
    }

    static void attention(const AttentionTask& t, float* scratch) {
        const Scratch s = scratch_layout(t);
        pack_keys_values(t, s, scratch);
        for (std::int64_t h = 0; h < t.group; ++h) {
            for (std::int64_t r0 = t.first_row; r0 < t.first_row + t.rows; r0 += kQueryTile) {
                const std::int64_t left = t.first_row + t.rows - r0;
                attend(t, s, h, r0, left < kQueryTile ? left : kQueryTile, scratch);
            }
        }
    }

    static float largest(const float* x, std::int64_t n) {
        Vec tops = splat(-3.0e38f);
        std::int64_t i = 0;
        for (; i + kWidth <= n; i += kWidth) tops = larger(tops, load(x + i));
        if (i < n) tops = larger(tops, load_tail(x + i, n - i, -3.0e38f));
        return largest_lane(tops);
    }

    static void add_logits(const float* x, std::int64_t n, std::int32_t first_id, LogitSums* sums,
                           float* exponentials) {
        const float top = largest(x, n);
        sums->rescale = 1;
        if (top > sums->max) {
            sums->rescale = sums->sum == 0
                                ? 0.0
                                : __builtin_exp(static_cast<double>(sums->max) - static_cast<double>(top));
            sums->max = top;
            std::int64_t i = 0;
            while (x[i] != top) ++i;
            sums->top1 = first_id + static_cast<std::int32_t>(i);
        }
        // Four chains of f32 sums per slice, then double: no chain is longer than a slice / (4·kWidth).
        const Vec max = splat(sums->max);
        Vec chain[4] = {};
        std::int64_t i = 0;
        for (int which = 0; i + kWidth <= n; i += kWidth, which = (which + 1) % 4) {
            const Vec e = exp(load(x + i) - max);
            if (exponentials != nullptr) store(exponentials + i, e);
            chain[which] += e;
        }
        double sum = 0;
        for (const Vec& c : chain) sum += sum_lanes(c);
        if (i < n) {
            const Vec e = exp(load_tail(x + i, n - i, 0.0f) - max);
            for (std::int64_t k = 0; k < n - i; ++k) {
                sum += e[k];
                if (exponentials != nullptr) exponentials[i + k] = e[k];
            }
        }
        sums->sum = sums->sum * sums->rescale + sum;
    }

    static void add_divergence(const float* e, const float* a, const float* b, std::int64_t n, double rescale,
                               double* weighted) {
        DoubleVec sums{};
        std::int64_t i = 0;
        for (; i + kWidth / 2 <= n; i += kWidth / 2) sums += widen(e + i) * (widen(a + i) - widen(b + i));
        double sum = sum_lanes(sums);
        for (; i < n; ++i)
            sum += static_cast<double>(e[i]) * (static_cast<double>(a[i]) - static_cast<double>(b[i]));
        *weighted = *weighted * rescale + sum;
    }

    static constexpr Kernels table(const char* name, const GradientKernels& gradients,
                                   const RoundingKernels& rounding) {
        return {name,          gradients,        rounding,          rms_norm,
                gated<silu>,   gated<gelu_tanh>, softcap,           add_scaled,
                squared_error, activation_sums,  attention_scratch, attention,
                add_logits,    add_divergence};
    }
};

}  // namespace
}  // namespace assay::compute
