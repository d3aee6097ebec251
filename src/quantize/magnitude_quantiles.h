// Exact quantiles of |w| over a matrix that need not fit in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "quantize/row_scan.h"

namespace assay {

// Counts in tables that threads borrow: whole numbers, so that the order does not matter.
class CountTables {
  public:
    explicit CountTables(std::size_t size) : size_(size) {}

    using Table = std::vector<std::uint32_t>;
    Table take();
    void put(Table table);
    std::vector<std::int64_t> total() const;
    void clear() { free_.clear(); }

  private:
    std::size_t size_;
    std::mutex mutex_;
    std::vector<Table> free_;
};

// The smallest v such that at least ⌈p·n⌉ of the n weights have |w| <= v, for each probability p in (0, 1]: a
// weight's own magnitude; for p = 1 the largest. (Hyndman & Fan's type 1.)
// A look counts the upper halves of the f32 patterns, and one more the lower halves of those that share the
// upper half with a quantile, which bf16 weights do not need. Weights below a floor only make up the number:
// finding them takes less. Memory: 128 KiB, then 256 KiB for each quantile, a thread.
class MagnitudeQuantiles {
  public:
    // floor: a magnitude that the quantiles are expected to lie above, or 0; where one does not,
    // needs_second_look() looks again. Throws InvalidArgument for a probability outside of (0, 1].
    explicit MagnitudeQuantiles(std::vector<double> probabilities, float floor = 0);

    // Takes the panels of the first look; thread-safe.
    void add(const RowPanel& panel);
    // After the first look, which is repeated without a floor where a quantile lies at or below it: whether
    // there must be a second one.
    bool needs_second_look(const RowSource& source, ThreadPool& pool);
    // Takes the panels of the second look; thread-safe.
    void add_second(const RowPanel& panel);
    // In the order of the probabilities; all 0 without elements.
    std::vector<float> quantiles() const;

  private:
    struct Place {
        std::uint32_t upper = 0;  // half of the pattern
        std::int64_t rank = 0;    // among the weights with that half
    };
    void count_all(MatrixView<const float> w, CountTables::Table& table);
    void count_above_floor(MatrixView<const float> w, CountTables::Table& table);
    void add_counts(std::int64_t below, std::uint32_t bits);
    bool find_places();

    std::vector<double> probabilities_;
    float floor_;
    std::int64_t below_ = 0;  // weights at or below the floor
    CountTables upper_;
    std::vector<Place> places_;
    std::vector<std::uint8_t> slot_of_upper_;  // 1 + the table of an upper half that holds a quantile, or 0
    std::unique_ptr<CountTables> lower_;
    std::uint32_t lower_bits_ = 0;  // of the weights above the floor, or'ed
    std::mutex mutex_;
};

// For scan_rows(), where a look takes nothing else.
struct QuantileLook {
    MagnitudeQuantiles* to;
    bool second = false;

    void add(const RowPanel& panel) const { second ? to->add_second(panel) : to->add(panel); }
    void merge(const QuantileLook& /*it has added already*/) {}
};

}  // namespace assay
