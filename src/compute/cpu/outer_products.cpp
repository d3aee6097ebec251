#include "compute/cpu/outer_products.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "base/checked.h"
#include "compute/symmetric_matrix.h"

namespace assay::compute {

// A run of rows of one segment whose outer product is summed in f32.
struct OuterProducts::Piece {
    std::int64_t segment = 0, first = 0, rows = 0;
};

// Rows of g as panels [rows, tile_rows] and of x as panels [rows, tile_columns], in borrowed memory.
struct OuterProducts::Operands {
    std::int64_t rows = 0, out_tiles = 0, in_tiles = 0;
    float *g = nullptr, *x = nullptr;
    ScratchPool::Block memory;
};

namespace {

constexpr std::int64_t kChainRows = 64;           // of a piece
constexpr std::int64_t kGramChain = 256;          // of a piece of statistics
constexpr std::int64_t kGroupRows = 1024;         // packed at once: a panel of x stays in the second cache
constexpr std::int64_t kTilesPerTask = 8;         // along either side
constexpr std::int64_t kRowsPerTask = 16;         // of packing
static_assert(SymmetricMatrix::kTile % 32 == 0);  // a tile's row lies in one tile of the matrix

// A change as tiles [tile_rows, tile_columns], zero past its ends, row of tiles after row of tiles.
struct CpuChange final : PackedChange {
    AlignedFloats tiles;
    std::int64_t rows = 0, cols = 0;
    std::int64_t out_features() const override { return rows; }
    std::int64_t in_features() const override { return cols; }
};

// The tiles of an outer product that one task forms.
struct TileRange {
    std::int64_t out_begin, out_end, in_begin, in_end;
};

std::vector<TileRange> tile_ranges(std::int64_t out_tiles, std::int64_t in_tiles) {
    std::vector<TileRange> ranges;
    for (std::int64_t o = 0; o < out_tiles; o += kTilesPerTask) {
        for (std::int64_t i = 0; i < in_tiles; i += kTilesPerTask) {
            ranges.push_back(
                {o, std::min(o + kTilesPerTask, out_tiles), i, std::min(i + kTilesPerTask, in_tiles)});
        }
    }
    return ranges;
}

// A piece of a symmetric matrix's lower triangle, [height, width] from row and column on.
struct TriangleTile {
    SymmetricMatrix& sums;
    std::int64_t row, column, height, width;

    // Calls work(numbers in the matrix, numbers in a copy [height, width], count) for each row that has any.
    template <class Work>
    void for_each_row(double* copy, const Work& work) const {
        for (std::int64_t r = row; r < std::min(row + height, sums.size()); ++r, copy += width) {
            const std::int64_t count = std::min(width, r + 1 - column);
            if (count > 0) work(&sums(r, column), copy, count);
        }
    }
};

// Written out: a call of the library for each of so few takes longer than the copying.
void copy_floats(const float* from, std::int64_t count, float* to) {
    std::int64_t i = 0;
    for (; i + 4 <= count; i += 4) std::memcpy(to + i, from + i, 16);
    for (; i < count; ++i) to[i] = from[i];
}

// Row `values` as row `index` of panels [rows, width], zero past the last column.
void pack_row(std::span<const float> values, std::int64_t index, std::int64_t rows, std::int64_t width,
              float* panels) {
    const auto n = static_cast<std::int64_t>(values.size());
    float* target = panels + index * width;
    for (std::int64_t c = 0; c < n; c += width, target += rows * width) {
        const std::int64_t part = std::min(width, n - c);
        copy_floats(values.data() + c, part, target);
        std::fill(target + part, target + width, 0.0f);
    }
}

}  // namespace

std::unique_ptr<PackedChange> OuterProducts::pack_change(MatrixView<const float> change) const {
    const std::int64_t height = kernels_.tile_rows, width = kernels_.tile_columns;
    const std::int64_t in_tiles = ceil_div(change.cols(), width), out_tiles = ceil_div(change.rows(), height);
    auto packed = std::make_unique<CpuChange>();
    packed->rows = change.rows();
    packed->cols = change.cols();
    packed->tiles = aligned_floats(out_tiles * in_tiles * height * width);
    for (std::int64_t o = 0; o < out_tiles; ++o) {
        float* tiles = packed->tiles.get() + o * in_tiles * height * width;
        for (std::int64_t r = 0; r < height; ++r) {
            if (o * height + r < change.rows()) {
                pack_row(change.row(o * height + r), r, height, width, tiles);
                continue;
            }
            for (std::int64_t i = 0; i < in_tiles; ++i)
                std::fill_n(tiles + (i * height + r) * width, width, 0.0f);
        }
    }
    return packed;
}

OuterProducts::Operands OuterProducts::pack(MatrixView<const float> g, MatrixView<const float> x,
                                            std::span<const std::int64_t> rows,
                                            std::span<const double> weights) {
    const std::int64_t height = kernels_.tile_rows, width = kernels_.tile_columns;
    Operands o;
    o.rows = static_cast<std::int64_t>(rows.size());
    o.out_tiles = ceil_div(g.cols(), height);
    o.in_tiles = ceil_div(x.cols(), width);
    const std::int64_t x_floats = o.in_tiles * width * o.rows;
    o.memory = scratch_.take(x_floats + o.out_tiles * height * o.rows);
    o.x = o.memory.floats.get();
    o.g = o.x + x_floats;
    parallel_for(pool_, o.rows, kRowsPerTask, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> scaled(weights.empty() ? 0 : static_cast<std::size_t>(g.cols()));
        for (std::int64_t i = begin; i < end; ++i) {
            const std::int64_t r = rows[static_cast<std::size_t>(i)];
            pack_row(x.row(r), i, o.rows, width, o.x);
            std::span<const float> gradient = g.row(r);
            if (!weights.empty()) {
                const auto weight = static_cast<float>(weights[static_cast<std::size_t>(r)]);
                kernels_.scale(gradient.data(), g.cols(), weight, scaled.data());
                gradient = scaled;
            }
            pack_row(gradient, i, o.rows, height, o.g);
        }
    });
    return o;
}

Matrix<double> OuterProducts::change_dots(std::span<const RowSegment> segments, MatrixView<const float> g,
                                          MatrixView<const float> x,
                                          std::span<const PackedChange* const> changes) {
    Matrix<double> sums(static_cast<std::int64_t>(segments.size()),
                        static_cast<std::int64_t>(changes.size()));
    if (changes.empty()) return sums;
    std::vector<const float*> tiles;
    for (const PackedChange* change : changes)
        tiles.push_back(static_cast<const CpuChange&>(*change).tiles.get());
    std::vector<Piece> pieces;
    std::vector<std::int64_t> rows;
    const auto flush = [&] {
        Operands operands = pack(g, x, rows, {});
        add_change_dots(pieces, operands, tiles, sums);
        scratch_.put(std::move(operands.memory));
        pieces.clear();
        rows.clear();
    };
    for (std::int64_t s = 0; s < sums.rows(); ++s) {
        const RowSegment& segment = segments[static_cast<std::size_t>(s)];
        for (std::int64_t first = 0; first < segment.count; first += kChainRows) {
            const std::int64_t count = std::min(kChainRows, segment.count - first);
            if (static_cast<std::int64_t>(rows.size()) + count > kGroupRows) flush();
            pieces.push_back({s, segment.first + first, count});
            rows.resize(rows.size() + static_cast<std::size_t>(count));
            std::iota(rows.end() - count, rows.end(), pieces.back().first);
        }
    }
    if (!pieces.empty()) flush();
    return sums;
}

// A segment's sum takes its pieces in order, a piece's its ranges of tiles: whatever else is packed with it.
void OuterProducts::add_change_dots(std::span<const Piece> pieces, const Operands& operands,
                                    std::span<const float* const> changes, Matrix<double>& sums) {
    const std::int64_t height = kernels_.tile_rows, width = kernels_.tile_columns, lanes = kernels_.lanes;
    const std::size_t count = pieces.size() * changes.size();
    std::vector<std::int64_t> piece_rows;
    for (const Piece& piece : pieces) piece_rows.push_back(piece.rows);
    const std::vector<TileRange> ranges = tile_ranges(operands.out_tiles, operands.in_tiles);
    std::vector<std::vector<double>> partial(ranges.size());
    pool_.for_each(static_cast<std::int64_t>(ranges.size()), [&](std::int64_t index) {
        const TileRange& range = ranges[static_cast<std::size_t>(index)];
        std::vector<double> own(count * static_cast<std::size_t>(lanes));
        std::vector<const float*> tiles(changes.size());
        ChangeTileTask task;
        task.piece_rows = piece_rows.data();
        task.pieces = static_cast<std::int64_t>(pieces.size());
        task.changes = tiles.data();
        task.change_count = static_cast<std::int64_t>(changes.size());
        task.sums = own.data();
        for (std::int64_t i = range.in_begin; i < range.in_end; ++i) {
            for (std::int64_t o = range.out_begin; o < range.out_end; ++o) {
                for (std::size_t f = 0; f < tiles.size(); ++f)
                    tiles[f] = changes[f] + (o * operands.in_tiles + i) * height * width;
                task.g = operands.g + o * operands.rows * height;
                task.x = operands.x + i * operands.rows * width;
                kernels_.change_tile(task);
            }
        }
        std::vector<double>& totals = partial[static_cast<std::size_t>(index)];
        for (auto lane = own.begin(); lane != own.end(); lane += lanes)
            totals.push_back(std::accumulate(lane, lane + lanes, 0.0));
    });
    for (std::size_t i = 0; i < count; ++i) {
        double sum = 0;
        for (const std::vector<double>& totals : partial) sum += totals[i];
        sums.row(pieces[i / changes.size()].segment)[i % changes.size()] += sum;
    }
}

Matrix<double> OuterProducts::weighted_gradient(MatrixView<const float> g, MatrixView<const float> x,
                                                std::span<const double> weights) {
    Matrix<double> sums(g.cols(), x.cols());
    for (std::int64_t first = 0; first < g.rows(); first += kGroupRows) {
        std::vector<std::int64_t> rows(static_cast<std::size_t>(std::min(kGroupRows, g.rows() - first)));
        std::iota(rows.begin(), rows.end(), first);
        Operands operands = pack(g, x, rows, weights);
        add_gradient(operands, sums);
        scratch_.put(std::move(operands.memory));
    }
    return sums;
}

void OuterProducts::add_gradient(const Operands& operands, Matrix<double>& sums) {
    const std::int64_t height = kernels_.tile_rows, width = kernels_.tile_columns;
    const std::vector<TileRange> ranges = tile_ranges(operands.out_tiles, operands.in_tiles);
    pool_.for_each(static_cast<std::int64_t>(ranges.size()), [&](std::int64_t index) {
        const TileRange& range = ranges[static_cast<std::size_t>(index)];
        std::vector<double> tile(static_cast<std::size_t>(height * width));
        for (std::int64_t i = range.in_begin; i < range.in_end; ++i) {
            for (std::int64_t o = range.out_begin; o < range.out_end; ++o) {
                std::fill(tile.begin(), tile.end(), 0.0);
                kernels_.add_outer(operands.g + o * operands.rows * height,
                                   operands.x + i * operands.rows * width, operands.rows, kChainRows,
                                   tile.data());
                const std::int64_t rows = std::min(height, sums.rows() - o * height),
                                   columns = std::min(width, sums.cols() - i * width);
                for (std::int64_t r = 0; r < rows; ++r) {
                    for (std::int64_t c = 0; c < columns; ++c) {
                        sums.view()(o * height + r, i * width + c) +=
                            tile[static_cast<std::size_t>(r * width + c)];
                    }
                }
            }
        }
    });
}

void OuterProducts::add_gram(const Batch& batch, MatrixView<const float> x, std::span<const double> weights,
                             SymmetricMatrix& sums) {
    std::vector<Piece> pieces;
    std::vector<std::int64_t> rows;
    const auto flush = [&] {
        Operands operands = pack(x, x, rows, weights);
        add_gram(pieces, operands, sums);
        scratch_.put(std::move(operands.memory));
        pieces.clear();
        rows.clear();
    };
    for (std::int64_t w = 0; w < batch.windows(); ++w) {
        for (std::int64_t first = 0; first < batch.window_rows(w); first += kGramChain) {
            const std::int64_t count = std::min(kGramChain, batch.window_rows(w) - first);
            if (static_cast<std::int64_t>(rows.size()) + count > kGroupRows) flush();
            pieces.push_back({w, batch.window_first_row(w) + first, count});
            rows.resize(rows.size() + static_cast<std::size_t>(count));
            std::iota(rows.end() - count, rows.end(), pieces.back().first);
        }
    }
    if (!pieces.empty()) flush();
}

// Each element takes its pieces one after the other, from the sum of all pieces before: however they are
// grouped.
void OuterProducts::add_gram(std::span<const Piece> pieces, const Operands& operands, SymmetricMatrix& sums) {
    const std::int64_t height = kernels_.tile_rows, width = kernels_.tile_columns;
    const std::vector<TileRange> ranges = tile_ranges(operands.out_tiles, operands.in_tiles);
    pool_.for_each(static_cast<std::int64_t>(ranges.size()), [&](std::int64_t index) {
        const TileRange& range = ranges[static_cast<std::size_t>(index)];
        std::vector<double> tile(static_cast<std::size_t>(height * width));
        for (std::int64_t i = range.in_begin; i < range.in_end; ++i) {
            for (std::int64_t o = range.out_begin; o < range.out_end; ++o) {
                if ((o + 1) * height <= i * width) continue;  // above the diagonal
                const TriangleTile own{sums, o * height, i * width, height, width};
                own.for_each_row(tile.data(),
                                 [](double* in, double* copy, std::int64_t n) { std::copy_n(in, n, copy); });
                const float* g = operands.g + o * operands.rows * height;
                const float* x = operands.x + i * operands.rows * width;
                for (const Piece& piece : pieces) {
                    kernels_.add_outer(g, x, piece.rows, kGramChain, tile.data());
                    g += piece.rows * height;
                    x += piece.rows * width;
                }
                own.for_each_row(tile.data(), [](double* out, double* copy, std::int64_t n) {
                    std::copy_n(copy, n, out);
                });
            }
        }
    });
}

}  // namespace assay::compute
