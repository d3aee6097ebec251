// Built with -march=x86-64-v4 -mavx512bf16 -mamx-tile -mamx-bf16: tiles of 16 rows of 64 bytes.
//
// Both operands are packed in tiles of 16 rows (or columns) by 16 pairs of bf16; 2 x 2 tiles of sums meet at
// a time. A block of at most kDepth pairs of the left operand is rounded into scratch memory first.
#include "compute/cpu/bf16_operand.h"
#include "compute/cpu/gemm_kernels.h"
#include "compute/cpu/gemm_pack.h"

namespace assay::compute {
namespace {

struct AmxBf16 : Bf16Operand {
    static constexpr std::int64_t kUnits = 16;  // depth is whole tiles
};

using Packing = Panels<AmxBf16>;
using Unit = AmxBf16::Unit;
constexpr std::int64_t kSide = 16, kTile = kSide * kSide;  // units of a tile
constexpr std::int64_t kDepth = 1024;                      // units

struct alignas(64) TileConfiguration {
    std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
    std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

std::int64_t round_up(std::int64_t n, std::int64_t unit) {
    return (n + unit - 1) / unit * unit;
}

// The tile instructions read memory behind the compiler's back: what was stored before must be there.
void finish_stores(const void* p) {
    asm volatile("" : : "r"(p) : "memory");
}

// Rows of x rounded to bf16: [rows / 16][depth / 16] tiles; zero past the last row, up to a multiple of 32.
void round_rows(const GemmTask& task, std::int64_t k, std::int64_t depth, Unit* tiles) {
    for (std::int64_t r = 0; r < round_up(task.rows, 2 * kSide); ++r) {
        Unit* row = tiles + r / kSide * kSide * depth + r % kSide * kSide;
        for (std::int64_t u = 0; u < depth; u += kSide, row += kTile) {
            if (r < task.rows && (k + u) * 2 < task.in)
                AmxBf16::read(task.x + r * task.in, (k + u) * 2, task.in, kSide, row);
            else
                _mm512_store_si512(row, _mm512_setzero_si512());
        }
    }
}

// sums [32, 32], with `sums_stride`, = two rows of tiles, `depth` units from each other, times two columns of
// tiles, `b_stride` from each other.
struct TilePair {
    const Unit* a = nullptr;
    const Unit* b = nullptr;
    std::int64_t depth = 0, b_stride = 0;
    const Unit* next_panel = nullptr;  // fetched meanwhile
};
void multiply_tiles(const TilePair& t, float* sums, std::int64_t sums_stride) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    const Unit *a_low = t.a + kSide * t.depth, *b_right = t.b + t.b_stride, *next_panel = t.next_panel;
    for (std::int64_t k = 0; k < kSide * t.depth; k += kTile) {
        _tile_loadd(4, t.a + k, 64);
        _tile_loadd(6, t.b + k, 64);
        _tile_loadd(7, b_right + k, 64);
        _tile_loadd(5, a_low + k, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
        for (int line = 0; line < 4; ++line, next_panel += kSide) __builtin_prefetch(next_panel, 0, 2);
    }
    const std::int64_t stride = sums_stride * 4;  // bytes
    _tile_stored(0, sums, stride);
    _tile_stored(1, sums + kSide, stride);
    _tile_stored(2, sums + kSide * sums_stride, stride);
    _tile_stored(3, sums + kSide * sums_stride + kSide, stride);
}

// y = sums + bias + add for 32 x 32 sums, of which `rows` and `columns` are there.
struct Finish {
    const float* bias = nullptr;
    const float* add = nullptr;
    float* y = nullptr;
    std::int64_t stride = 0, rows = 0, columns = 0;
};
void finish(const Finish& f, const float* sums) {
    for (std::int64_t c = 0; c < f.columns; c += kSide) {
        const std::int64_t left = f.columns - c;
        const auto mask = static_cast<__mmask16>(left >= kSide ? 0xffffu : (1u << left) - 1);
        const __m512 bias = f.bias != nullptr ? _mm512_maskz_loadu_ps(mask, f.bias + c) : _mm512_setzero_ps();
        for (std::int64_t r = 0; r < f.rows; ++r) {
            __m512 sum = _mm512_load_ps(sums + r * 2 * kSide + c) + bias;
            if (f.add != nullptr) sum += _mm512_maskz_loadu_ps(mask, f.add + r * f.stride + c);
            _mm512_mask_storeu_ps(f.y + r * f.stride + c, mask, sum);
        }
    }
}

// Columns [first, first + 32) of y, for a block of the depth.
void multiply_panel(const GemmTask& task, const Unit* left, std::int64_t k, std::int64_t block,
                    std::int64_t first) {
    const std::int64_t depth = Packing::units(task.in);
    TilePair t;
    t.b = static_cast<const Unit*>(task.w) + first * depth + k * kSide;
    t.depth = block;
    t.b_stride = kSide * depth;
    t.next_panel = t.b + 2 * kSide * depth;
    alignas(64) float sums[4 * kTile];
    Finish f;
    f.stride = task.out;
    f.columns = task.out - first < 2 * kSide ? task.out - first : 2 * kSide;
    if (k == 0 && task.bias != nullptr) f.bias = task.bias + first;
    const float* add = k == 0 ? task.residual : task.y;
    for (std::int64_t r = 0; r < task.rows; r += 2 * kSide) {
        f.rows = task.rows - r < 2 * kSide ? task.rows - r : 2 * kSide;
        f.y = task.y + r * task.out + first;
        if (add != nullptr) f.add = add + r * task.out + first;
        t.a = left + r * block;
        if (f.rows == 2 * kSide && f.columns == 2 * kSide && f.bias == nullptr && f.add == nullptr) {
            multiply_tiles(t, f.y, f.stride);
        } else {
            multiply_tiles(t, sums, 2 * kSide);
            finish(f, sums);
        }
        t.next_panel += block / kSide * 4 * kSide;
    }
}

void multiply(const GemmTask& task, void* scratch) {
    const TileConfiguration configuration;
    finish_stores(&configuration);
    _tile_loadconfig(&configuration);
    Unit* left = static_cast<Unit*>(scratch);
    const std::int64_t depth = Packing::units(task.in);
    for (std::int64_t k = 0; k < depth; k += kDepth) {
        const std::int64_t block = depth - k < kDepth ? depth - k : kDepth;
        round_rows(task, k, block, left);
        finish_stores(left);
        for (std::int64_t first = 0; first < task.out; first += 2 * kSide)
            multiply_panel(task, left, k, block, first);
    }
    _tile_release();
}

// Whole pairs of panels, so that the last one has a neighbour to multiply with.
std::int64_t packed_bytes(std::int64_t in, std::int64_t out) {
    return Packing::packed_bytes(in, out, 2 * kSide);
}

void pack(const float* w, std::int64_t stride, std::int64_t in, std::int64_t out, void* packed) {
    Unit* target = static_cast<Unit*>(packed);
    Packing::pack(w, stride, in, out, kSide, kSide, target);
    const std::int64_t depth = Packing::units(in);
    for (std::int64_t i = round_up(out, kSide) * depth; i < round_up(out, 2 * kSide) * depth; ++i)
        target[i] = 0;
}

std::int64_t scratch_bytes(std::int64_t rows, std::int64_t in) {
    const std::int64_t depth = Packing::units(in);
    return round_up(rows, 2 * kSide) * (depth < kDepth ? depth : kDepth) * 4;
}

}  // namespace

const GemmKernels kGemmAmxBf16 = {"amx_bf16", packed_bytes, pack, scratch_bytes, multiply};

}  // namespace assay::compute
