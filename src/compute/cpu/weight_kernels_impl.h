// The weight kernels' source, compiled once per instruction set, in an unnamed namespace and without inline
// functions of other headers, as kernels_impl.h. Isa names the types of 16 floats and of 16 doubles.
#pragma once

#include <immintrin.h>

#include "compute/cpu/weight_kernels.h"

namespace assay::compute {
namespace {

// The last steps of a reduction, which begin with the halves of 16 lanes in every instruction set.
inline float smallest_of(__m256 x) {
    const __m128 y = _mm_min_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    const __m128 pair = _mm_min_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_min_ss(pair, _mm_movehdup_ps(pair)));
}
inline float largest_of(__m256 x) {
    const __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    const __m128 pair = _mm_max_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_max_ss(pair, _mm_movehdup_ps(pair)));
}
inline float sum_of(__m256 x) {
    const __m128 y = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    const __m128 pair = _mm_add_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
}
inline double sum_of(__m256d x) {
    const __m128d pair = _mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd(x, 1));
    return _mm_cvtsd_f64(_mm_add_sd(pair, _mm_unpackhi_pd(pair, pair)));
}

template <class Isa>
struct WeightKernelSet {
    using Lanes = typename Isa::Lanes;
    using Doubles = typename Isa::Doubles;
    using Part = typename Isa::Part;  // the lanes of one register
    using PartLanes = typename Part::Lanes;

    // Adding it to a number below 2^22 in size rounds to a whole number, ties to even, in the low bits.
    static constexpr float kShift = 12582912.0f;  // 1.5·2^23
    // So many terms are added up in f32 before a sum goes on in double: its relative error stays near 1e-6.
    static constexpr std::int64_t kRunUnits = 32, kRunWeights = 256;

    static Lanes load(const float* p) { return Isa::load(p); }
    static Lanes splat(float x) { return Isa::splat(x); }
    static float lesser(float a, float b) { return a < b ? a : b; }
    static float greater(float a, float b) { return a > b ? a : b; }

    // What powers() adds up in one register's lanes.
    struct PowerLanes {
        using PartDoubles = typename Part::Doubles;
        PartDoubles sums[4] = {Part::splat_double(0), Part::splat_double(0), Part::splat_double(0),
                               Part::splat_double(0)};
        PartLanes low, high;

        // d · 1 + sum is d + sum: some processors add in other units than they multiply in, and here those
        // that multiply have less to do.
        void add(const float* w, PartDoubles shifts, PartDoubles ones) {
            const PartLanes x = Part::load(w);
            low = Part::smaller(low, x);
            high = Part::larger(high, x);
            const PartDoubles d = Part::sub(Part::load_widened(w), shifts), d2 = Part::mul(d, d);
            sums[0] = Part::fma(d, ones, sums[0]);
            sums[1] = Part::add(sums[1], d2);
            sums[2] = Part::fma(d2, d, sums[2]);
            sums[3] = Part::fma(d2, d2, sums[3]);
        }
    };

    // One register's lanes after the other, so that their sums stay in registers, and run by run, so that
    // the weights stay in the first-level cache meanwhile. Returns how many weights there were in whole
    // lanes.
    static std::int64_t add_powers(const float* w, std::int64_t n, double shift,
                                   PowerLanes (&all)[Isa::kParts]) {
        const typename Part::Doubles shifts = Part::splat_double(shift), ones = Part::splat_double(1);
        const std::int64_t whole_lanes = n / kLanes * kLanes;
        for (std::int64_t first = 0; first < whole_lanes; first += kRunUnits * kRowUnit) {
            const std::int64_t run = first + kRunUnits * kRowUnit,
                               end = run < whole_lanes ? run : whole_lanes;
            for (int p = 0; p < Isa::kParts; ++p) {
                PowerLanes lanes = all[p];
                for (std::int64_t i = first; i < end; i += kLanes)
                    lanes.add(w + i + p * Part::kWidth, shifts, ones);
                all[p] = lanes;
            }
        }
        return whole_lanes;
    }

    static void powers(const float* w, std::int64_t n, double shift, PowerRow* row) {
        PowerLanes lanes[Isa::kParts];
        for (PowerLanes& part : lanes) {
            part.low = Part::splat(row->low);
            part.high = Part::splat(row->high);
        }
        std::int64_t i = add_powers(w, n, shift, lanes);
        PartLanes low[Isa::kParts], high[Isa::kParts];
        for (int p = 0; p < Isa::kParts; ++p) {
            low[p] = lanes[p].low;
            high[p] = lanes[p].high;
        }
        row->low = Isa::smallest(Isa::join(low));
        row->high = Isa::largest(Isa::join(high));
        for (int k = 0; k < 4; ++k) {
            typename Part::Doubles sums[Isa::kParts];
            for (int p = 0; p < Isa::kParts; ++p) sums[p] = lanes[p].sums[k];
            row->sums[k] += Isa::sum(Isa::join(sums));
        }
        for (; i < n; ++i) {
            const double d = static_cast<double>(w[i]) - shift, d2 = d * d;
            row->low = lesser(row->low, w[i]);
            row->high = greater(row->high, w[i]);
            row->sums[0] += d;
            row->sums[1] += d2;
            row->sums[2] += d2 * d;
            row->sums[3] += d2 * d2;
        }
    }

    // Folds of a unit's weights to half a unit's lanes, of four units at a time, pair by pair: one register
    // holds what is left of all four, so that a step of the reduction serves them together.
    template <class Fold, class Halve, class Step>
    static __m128 fold_units(const float* w, const Fold& fold, const Halve& halve, const Step& step) {
        __m256 x[4];
        for (int u = 0; u < 4; ++u)
            x[u] = halve(fold(load(w + u * kRowUnit), load(w + u * kRowUnit + kLanes)));
        const __m256 a = step(_mm256_unpacklo_ps(x[0], x[1]), _mm256_unpackhi_ps(x[0], x[1])),
                     b = step(_mm256_unpacklo_ps(x[2], x[3]), _mm256_unpackhi_ps(x[2], x[3]));
        const __m256 all = step(_mm256_shuffle_ps(a, b, 0x44), _mm256_shuffle_ps(a, b, 0xee));
        return _mm256_castps256_ps128(step(all, _mm256_permute2f128_ps(all, all, 1)));
    }

    // ranges() of groups of one unit, four at a time. Returns how many groups there were.
    static std::int64_t ranges_of_units(const float* w, std::int64_t n, float* low, float* high) {
        std::int64_t g = 0;
        for (; (g + 4) * kRowUnit <= n; g += 4) {
            const float* first = w + g * kRowUnit;
            const __m128 least = fold_units(
                first, [](Lanes x, Lanes y) { return Isa::smaller(x, y); },
                [](Lanes x) { return Isa::smaller_half(x); },
                [](__m256 x, __m256 y) { return _mm256_min_ps(x, y); });
            const __m128 most = fold_units(
                first, [](Lanes x, Lanes y) { return Isa::larger(x, y); },
                [](Lanes x) { return Isa::larger_half(x); },
                [](__m256 x, __m256 y) { return _mm256_max_ps(x, y); });
            _mm_storeu_ps(low + g, least);
            _mm_storeu_ps(high + g, most);
        }
        return g;
    }

    static void ranges(const float* w, std::int64_t n, std::int64_t width, float* low, float* high) {
        std::int64_t g = width == kRowUnit ? ranges_of_units(w, n, low, high) : 0;
        for (std::int64_t first = g * width; first < n; ++g, first += width) {
            const std::int64_t end = first + width < n ? first + width : n;
            Lanes lows = splat(kLargestFloat), highs = splat(-kLargestFloat);
            std::int64_t i = first;
            for (; i + kLanes <= end; i += kLanes) {
                const Lanes x = load(w + i);
                lows = Isa::smaller(lows, x);
                highs = Isa::larger(highs, x);
            }
            float least = Isa::smallest(lows), most = Isa::largest(highs);
            for (; i < end; ++i) {
                least = lesser(least, w[i]);
                most = greater(most, w[i]);
            }
            low[g] = least;
            high[g] = most;
        }
    }

    static bool one_beyond(const float* w, std::int64_t n, float low, float high, bool together) {
        const Lanes lows = splat(low), highs = splat(high);
        std::int32_t below = 0, above = 0;
        const auto decided = [&] { return together ? below + above > 1 : below > 1 && above > 1; };
        std::int64_t i = 0;
        for (; i + kLanes <= n && !decided(); i += kLanes) {
            const Lanes x = load(w + i);
            below += __builtin_popcount(Isa::less(x, lows));
            above += __builtin_popcount(Isa::less(highs, x));
        }
        for (; i < n && !decided(); ++i) {
            below += w[i] < low ? 1 : 0;
            above += w[i] > high ? 1 : 0;
        }
        return together ? below + above == 1 : below == 1 || above == 1;
    }

    static Lanes stored(Lanes scale, const GridRule* rule) {
        const Lanes rounded = rule->rounding == ScaleRounding::kF16    ? Isa::to_f16(scale)
                              : rule->rounding == ScaleRounding::kBf16 ? Isa::to_bf16(scale)
                                                                       : scale;
        return Isa::larger(rounded, splat(rule->smallest));
    }

    static bool make_grids(const GridRule* rule, const float* low, const float* high, std::int64_t n,
                           const Grids* out) {
        const Lanes zeros = splat(0), ones = splat(1), top = splat(rule->top), steps = splat(rule->steps);
        const Lanes middle = splat((rule->top + 1) / 2);
        unsigned overflows = 0;
        for (std::int64_t i = 0; i < n; i += kLanes) {
            const Lanes l = load(low + i), h = load(high + i);
            const Lanes lo = Isa::smaller(l, zeros), hi = Isa::larger(h, zeros);
            const Lanes down = Isa::sub(zeros, lo);
            const Lanes range = rule->symmetric ? Isa::larger(down, hi) : Isa::sub(hi, lo);
            const Lanes divisor = Isa::where_equal(l, h, ones, steps);
            const Lanes s = stored(Isa::div(range, divisor), rule);
            const Lanes inverse =
                Isa::where_positive(range, Isa::smaller(Isa::div(ones, s), splat(kLargestFloat)));
            const Lanes zero = rule->symmetric ? middle : Isa::smaller(Isa::nearest(Isa::div(down, s)), top);
            const Lanes first = Isa::where_positive(range, Isa::sub(zeros, zero)),
                        last = Isa::where_positive(range, Isa::sub(top, zero));
            const Lanes code_low = Isa::nearest(Isa::mul(l, inverse)),
                        code_high = Isa::nearest(Isa::mul(h, inverse));
            overflows |= Isa::less(splat(kLargestFloat), Isa::where_positive(range, Isa::mul(s, divisor)));
            Isa::store(out->scale + i, Isa::where_positive(range, s));
            Isa::store(out->inverse + i, inverse);
            Isa::store(out->least + i, Isa::smaller(Isa::larger(code_low, first), zeros));
            Isa::store(out->most + i, Isa::larger(Isa::smaller(code_high, last), zeros));
            out->clamps[i / kLanes] =
                static_cast<std::uint16_t>(Isa::less(code_low, first) | Isa::less(last, code_high));
        }
        return overflows == 0;
    }

    // Whether not all weights in group g's range have codes: Grids::clamps.
    static bool clamps_at(const std::uint16_t* clamps, std::int64_t g) {
        return (clamps[g / kLanes] >> (g % kLanes) & 1) != 0;
    }

    static Lanes whole(Lanes x, Lanes inverse) { return whole<Isa>(x, inverse); }
    template <class Some>
    static typename Some::Lanes whole(typename Some::Lanes x, typename Some::Lanes inverse) {
        return Some::sub(Some::fma(x, inverse, Some::splat(kShift)), Some::splat(kShift));
    }

    // clamp(whole(x, inverse), least, most).
    template <class Some>
    static typename Some::Lanes clamped(typename Some::Lanes x, typename Some::Lanes inverse,
                                        typename Some::Lanes least, typename Some::Lanes most) {
        return Some::smaller(Some::larger(whole<Some>(x, inverse), least), most);
    }

    // sum + (x - steps · scale)².
    static Lanes add_error(Lanes x, Lanes steps, Lanes scale, Lanes sum) {
        return add_error<Isa>(x, steps, scale, sum);
    }
    template <class Some>
    static typename Some::Lanes add_error(typename Some::Lanes x, typename Some::Lanes steps,
                                          typename Some::Lanes scale, typename Some::Lanes sum) {
        const typename Some::Lanes e = Some::subtract_product(x, steps, scale);
        return Some::fma(e, e, sum);
    }

    // A register's lanes of some units of a row whose sums are still short: registers for all lanes at once
    // would not be enough for three grids.
    static void add_run(const float* w, std::int64_t first, std::int64_t end, const GridRow& row,
                        PartLanes (&sums)[kGridsAtOnce][2]) {
        for (std::int64_t u = first; u < end; ++u) {
            const std::int64_t g = row.first + (u >> row.shift);
            const PartLanes x[2] = {Part::load(w + u * kRowUnit), Part::load(w + u * kRowUnit + kLanes)};
            const bool clamps = clamps_at(row.clamps, g);
            for (int k = 0; k < kGridsAtOnce; ++k) {
                const Grids& grids = row.grids[k];
                const PartLanes inverse = Part::splat(grids.inverse[g]), scale = Part::splat(grids.scale[g]);
                PartLanes steps[2];
                if (clamps) {
                    const PartLanes least = Part::splat(grids.least[g]), most = Part::splat(grids.most[g]);
                    for (int h = 0; h < 2; ++h) steps[h] = clamped<Part>(x[h], inverse, least, most);
                } else {
                    for (int h = 0; h < 2; ++h) steps[h] = whole<Part>(x[h], inverse);
                }
                sums[k][0] = add_error<Part>(x[0], steps[0], scale, sums[k][0]);
                sums[k][1] = add_error<Part>(x[1], steps[1], scale, sums[k][1]);
            }
        }
    }

    static void grid_errors(const float* w, std::int64_t units, const GridRow* row, double* sums) {
        static_assert(kRowUnit == 2 * kLanes);
        for (std::int64_t first = 0; first < units; first += kRunUnits) {
            const std::int64_t end = first + kRunUnits < units ? first + kRunUnits : units;
            PartLanes parts[kGridsAtOnce][2][Isa::kParts];
            for (int p = 0; p < Isa::kParts; ++p) {
                const PartLanes zero = Part::splat(0);
                PartLanes run[kGridsAtOnce][2] = {{zero, zero}, {zero, zero}, {zero, zero}};
                add_run(w + p * Part::kWidth, first, end, *row, run);
                for (int k = 0; k < kGridsAtOnce; ++k) {
                    for (int h = 0; h < 2; ++h) parts[k][h][p] = run[k][h];
                }
            }
            for (int k = 0; k < kGridsAtOnce; ++k)
                sums[k] +=
                    static_cast<double>(Isa::sum(Isa::add(Isa::join(parts[k][0]), Isa::join(parts[k][1]))));
        }
    }

    // 16 weights, or what is left of them before `end` and zeros, which round to themselves.
    static Lanes load_up_to(const float* w, std::int64_t i, std::int64_t end) {
        if (i + kLanes <= end) return load(w + i);
        float part[kLanes] = {};
        for (std::int64_t t = i; t < end; ++t) part[t - i] = w[t];
        return load(part);
    }

    // Adds n weights, each `width` of them in one group; sums in lanes go on in double before they are long.
    // begin(group) prepares add(16 weights); move() empties the lanes.
    template <class Begin, class Add, class Move>
    static void for_group_lanes(const float* w, std::int64_t n, std::int64_t width, std::int64_t first,
                                const Begin& begin, const Add& add, const Move& move) {
        std::int64_t moved = 0;
        for (std::int64_t g = first, at = 0; at < n; ++g, at += width) {
            const auto group = begin(g);
            const std::int64_t end = at + width < n ? at + width : n;
            std::int64_t i = at;
            while (i + kLanes <= end) {
                const std::int64_t run = i + kRunUnits * kRowUnit;
                for (; i + kLanes <= end && i < run; i += kLanes) add(group, load(w + i));
                if (i - moved < kRunUnits * kRowUnit) continue;
                move();
                moved = i;
            }
            if (i < end) add(group, load_up_to(w, i, end));
        }
        move();
    }

    struct GroupLanes {
        Lanes scale, inverse, least, most;

        GroupLanes(const Grids& grids, std::int64_t g)
            : scale(splat(grids.scale[g])),
              inverse(splat(grids.inverse[g])),
              least(splat(grids.least[g])),
              most(splat(grids.most[g])) {}
        Lanes steps(Lanes x) const { return clamped<Isa>(x, inverse, least, most); }
    };

    static void row_errors(const float* w, std::int64_t n, std::int64_t width, const Grids* grids,
                           std::int64_t first, ErrorRow* row) {
        const Lanes ones = splat(1);
        Lanes squares = splat(0), sizes = splat(0), largest = splat(0);
        for_group_lanes(
            w, n, width, first, [&](std::int64_t g) { return GroupLanes(*grids, g); },
            [&](const GroupLanes& group, Lanes x) {
                const Lanes e = Isa::subtract_product(x, group.steps(x), group.scale);
                const Lanes size = Isa::magnitude(e);
                squares = Isa::fma(e, e, squares);
                sizes = Isa::fma(size, ones, sizes);  // see PowerLanes
                largest = Isa::larger(largest, size);
            },
            [&] {
                row->squares += static_cast<double>(Isa::sum(squares));
                row->sizes += static_cast<double>(Isa::sum(sizes));
                squares = sizes = splat(0);
            });
        row->largest = greater(row->largest, Isa::largest(largest));
    }

    // What clip_errors() adds up in f32 for one of the clips.
    struct ClipLanes {
        Lanes clip, rounding, total;

        void clear() { clip = rounding = total = splat(0); }
        void add(Lanes own_clip, Lanes own_rounding, Lanes own_total) {
            clip = Isa::add(clip, own_clip);
            rounding = Isa::add(rounding, own_rounding);
            total = Isa::add(total, own_total);
        }
        void move(ClipRow* row) {
            row->clip += static_cast<double>(Isa::sum(clip));
            row->rounding += static_cast<double>(Isa::sum(rounding));
            row->total += static_cast<double>(Isa::sum(total));
            clear();
        }
    };

    // Calls visit(weights, blocks) with whole blocks of 16 weights, at the end of one that zeros fill up.
    template <class Visit>
    static void for_blocks(const float* w, std::int64_t n, const Visit& visit) {
        if (n >= kLanes) visit(w, n / kLanes);
        if (n % kLanes == 0) return;
        float last[kLanes];
        Isa::store(last, load_up_to(w, n / kLanes * kLanes, n));
        visit(last, 1);
    }

    // Σ (w - rounded)² of n weights that are all in the group's range.
    static Lanes range_errors(const float* w, std::int64_t n, const Grids& grids, std::int64_t g) {
        const GroupLanes group(grids, g);
        const bool clamps = clamps_at(grids.clamps, g);
        Lanes sum = splat(0);
        for_blocks(w, n, [&](const float* p, std::int64_t blocks) {
            for (std::int64_t b = 0; b < blocks; ++b) {
                const Lanes x = load(p + b * kLanes);
                const Lanes steps = clamps ? group.steps(x) : whole(x, group.inverse);
                sum = add_error(x, steps, group.scale, sum);
            }
        });
        return sum;
    }

    // One register's lanes of a clipped group.
    struct ClippedLanes {
        PartLanes scale, inverse, least, most, low, high;
        bool clamps;
        PartLanes clip = Part::splat(0), rounding = Part::splat(0), total = Part::splat(0);
        typename Part::Count clipped = Part::no_count();

        ClippedLanes(const Clips& clips, std::int64_t g)
            : scale(Part::splat(clips.grids.scale[g])),
              inverse(Part::splat(clips.grids.inverse[g])),
              least(Part::splat(clips.grids.least[g])),
              most(Part::splat(clips.grids.most[g])),
              low(Part::splat(clips.low[g])),
              high(Part::splat(clips.high[g])),
              clamps(clamps_at(clips.grids.clamps, g)) {}

        void add(PartLanes x) {
            const PartLanes c = Part::smaller(Part::larger(x, low), high), cut = Part::sub(x, c);
            const PartLanes steps =  // w rounds to what c rounds to
                clamps ? clamped<Part>(c, inverse, least, most) : whole<Part>(c, inverse);
            clip = Part::fma(cut, cut, clip);
            rounding = add_error<Part>(c, steps, scale, rounding);
            total = add_error<Part>(x, steps, scale, total);
            clipped = Part::count_differing(x, c, clipped);
        }
    };

    // Adds n weights of a group that is clipped. Returns how many were.
    static std::int64_t add_clipped(const float* w, std::int64_t n, const Clips& clips, std::int64_t g,
                                    ClipLanes* sums) {
        std::int64_t clipped = 0;
        for_blocks(w, n, [&](const float* p, std::int64_t blocks) {
            PartLanes clip[Isa::kParts], rounding[Isa::kParts], total[Isa::kParts];
            for (int part = 0; part < Isa::kParts; ++part) {
                ClippedLanes lanes(clips, g);
                for (std::int64_t b = 0; b < blocks; ++b)
                    lanes.add(Part::load(p + part * Part::kWidth + b * kLanes));
                clip[part] = lanes.clip;
                rounding[part] = lanes.rounding;
                total[part] = lanes.total;
                clipped += Part::total(lanes.clipped);
            }
            sums->add(Isa::join(clip), Isa::join(rounding), Isa::join(total));
        });
        return clipped;
    }

    static bool same_grid(const Grids& a, const Grids& b, std::int64_t g) {
        return a.scale[g] == b.scale[g] && a.inverse[g] == b.inverse[g] && a.least[g] == b.least[g] &&
               a.most[g] == b.most[g];
    }

    // Adds n weights of one group to all clips' sums; where a clip does not reach into the group's range,
    // the errors are those of its grid, which neighbours may share.
    static void add_group(const float* w, std::int64_t n, const ClipSet& set, std::int64_t g, ClipLanes* sums,
                          ClipRow* rows) {
        const Grids* known = nullptr;
        Lanes errors = splat(0);
        for (int k = 0; k < set.count; ++k) {
            const Clips& clips = set.clips[k];
            if (clips.low[g] > set.low[g] || clips.high[g] < set.high[g]) {
                rows[k].clipped += add_clipped(w, n, clips, g, &sums[k]);
                continue;
            }
            if (known == nullptr || !same_grid(clips.grids, *known, g))
                errors = range_errors(w, n, clips.grids, g);
            known = &clips.grids;
            sums[k].add(splat(0), errors, errors);
        }
    }

    static void clip_errors(const float* w, std::int64_t n, std::int64_t width, const ClipSet* set,
                            std::int64_t first, ClipRow* rows) {
        constexpr std::int64_t kRun = kRunUnits * kRowUnit;
        ClipLanes sums[kClipsAtOnce];
        for (int k = 0; k < set->count; ++k) sums[k].clear();
        std::int64_t held = 0;  // weights that were added up in f32, whole blocks
        const auto move = [&] {
            for (int k = 0; k < set->count; ++k) sums[k].move(&rows[k]);
            held = 0;
        };
        for (std::int64_t g = first, at = 0; at < n; ++g, at += width) {
            const std::int64_t end = at + width < n ? at + width : n;
            for (std::int64_t i = at; i < end;) {
                const std::int64_t piece = end - i < kRun - held ? end - i : kRun - held;
                add_group(w + i, piece, *set, g, sums, rows);
                i += piece;
                held += (piece + kLanes - 1) / kLanes * kLanes;
                if (held == kRun) move();
            }
        }
        move();
    }

    // A lane a candidate. `add` adds weight i to a sum.
    template <class Add>
    static void add_candidates(std::int64_t n, double* errors, const Add& add) {
        Doubles sums = Isa::splat_double(0);
        for (std::int64_t first = 0; first < n; first += kRunWeights) {
            const std::int64_t end = first + kRunWeights < n ? first + kRunWeights : n;
            Lanes run[4] = {splat(0), splat(0), splat(0), splat(0)};
            std::int64_t i = first;
            for (; i + 4 <= end; i += 4) {
                run[0] = add(i, run[0]);
                run[1] = add(i + 1, run[1]);
                run[2] = add(i + 2, run[2]);
                run[3] = add(i + 3, run[3]);
            }
            for (; i < end; ++i) run[0] = add(i, run[0]);
            sums = Isa::add(sums, Isa::widen(Isa::add(Isa::add(run[0], run[1]), Isa::add(run[2], run[3]))));
        }
        Isa::store_doubles(errors, sums);
    }

    static void candidate_errors(const float* w, const float* column_weights, std::int64_t n,
                                 const Grids* candidates, double* errors) {
        const Lanes scale = load(candidates->scale), inverse = load(candidates->inverse),
                    least = load(candidates->least), most = load(candidates->most);
        const auto steps_of = [&](Lanes x) { return clamped<Isa>(x, inverse, least, most); };
        if (column_weights == nullptr) {
            add_candidates(n, errors, [&](std::int64_t i, Lanes sum) {
                const Lanes x = splat(w[i]);
                return add_error(x, steps_of(x), scale, sum);
            });
        } else {
            add_candidates(n, errors, [&](std::int64_t i, Lanes sum) {
                const Lanes x = splat(w[i]), e = Isa::subtract_product(x, steps_of(x), scale);
                return Isa::fma(Isa::mul(e, splat(column_weights[i])), e, sum);
            });
        }
    }

    // Blocks of lanes with weights outside are few, and where they are cannot be foretold: their places are
    // written without a branch, 64 weights at a time.
    static void outside(const float* w, std::int64_t n, float low, float high, std::int32_t* columns,
                        OutsideRow* row) {
        constexpr std::int64_t kBlock = 64;
        const Lanes lows = splat(low), highs = splat(high);
        Lanes least = splat(row->low), most = splat(row->high);
        std::int32_t* next = columns;
        std::int64_t i = 0;
        const auto add = [&](Lanes x) {
            const Lanes inside = Isa::smaller(Isa::larger(x, lows), highs);
            least = Isa::smaller_where_equal(x, inside, least);
            most = Isa::larger_where_equal(x, inside, most);
            return static_cast<std::uint64_t>(Isa::differ(x, inside));
        };
        for (; i + kBlock <= n; i += kBlock) {
            const std::uint64_t out = add(load(w + i)) | add(load(w + i + kLanes)) << 16 |
                                      add(load(w + i + 2 * kLanes)) << 32 |
                                      add(load(w + i + 3 * kLanes)) << 48;
            next = write_places(out, static_cast<std::int32_t>(i), next);
        }
        for (; i + kLanes <= n; i += kLanes)
            next = write_places(add(load(w + i)), static_cast<std::int32_t>(i), next);
        row->low = Isa::smallest(least);
        row->high = Isa::largest(most);
        for (; i < n; ++i) {
            if (w[i] < low || w[i] > high) {
                *next++ = static_cast<std::int32_t>(i);
            } else {
                row->low = lesser(row->low, w[i]);
                row->high = greater(row->high, w[i]);
            }
        }
        row->count = next - columns;
    }

    // Writes `first` plus the place of each bit. Returns the place behind.
    static std::int32_t* write_places(std::uint64_t bits, std::int32_t first, std::int32_t* out) {
        for (; bits != 0; bits &= bits - 1) *out++ = first + static_cast<std::int32_t>(__builtin_ctzll(bits));
        return out;
    }

    static constexpr WeightKernels table(const char* name) {
        return {name,        powers,     ranges,           one_beyond,  make_grids,
                grid_errors, row_errors, candidate_errors, clip_errors, outside};
    }
};

}  // namespace
}  // namespace assay::compute
