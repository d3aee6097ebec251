// Moments of numbers from the sums of their powers, which add up over parts.
#pragma once

#include <cstdint>
#include <optional>

namespace assay {

struct PowerSums {
    std::int64_t count = 0;
    double sum = 0;      // Σ x
    double squares = 0;  // Σ x²
    double cubes = 0;    // Σ x³
    double fourths = 0;  // Σ x⁴

    void add(const PowerSums& part);

    double mean() const;  // 0 without numbers

    // sqrt(Σ x² / n - mean²): ddof 0. Exactly 0 below 1e-6 of sqrt(Σ x² / n), where rounding of the sums may
    // be all there is.
    // Accuracy: relative, about 1e-15 (1 + (mean / std)²).
    double std() const;

    // Σ (x - mean)⁴ / n / std⁴: 3 for Gaussian numbers, at least 1. None where std is 0.
    // Accuracy: relative, about 1e-15 (1 + (mean / std)⁴).
    std::optional<double> kurtosis() const;

    bool operator==(const PowerSums&) const = default;

  private:
    double variance() const;
};

}  // namespace assay
