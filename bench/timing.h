// Times of operations and what stands for several of them.
#pragma once

#include <algorithm>
#include <chrono>
#include <ctime>
#include <vector>

namespace assay::bench {

struct Seconds {
    double wall = 0;
    double processor = 0;  // of all threads
};

template <class Operation>
Seconds seconds_of(const Operation& operation) {
    const auto start = std::chrono::steady_clock::now();
    const std::clock_t before = std::clock();
    operation();
    const double processor = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
    return {std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), processor};
}

// Wall time.
template <class Operation>
double time_of(const Operation& operation) {
    return seconds_of(operation).wall;
}

inline double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

}  // namespace assay::bench
