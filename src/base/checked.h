// Overflow-checked unsigned arithmetic for sizes that come from files.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace assay {

// a * b, or nothing if it does not fit.
inline std::optional<std::uint64_t> checked_mul(std::uint64_t a, std::uint64_t b) {
    std::uint64_t r = 0;
    if (__builtin_mul_overflow(a, b, &r)) return std::nullopt;
    return r;
}

// a + b, or nothing if it does not fit.
inline std::optional<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) {
    std::uint64_t r = 0;
    if (__builtin_add_overflow(a, b, &r)) return std::nullopt;
    return r;
}

// Product of all factors (1 for none), or nothing if it does not fit.
inline std::optional<std::uint64_t> checked_product(std::span<const std::uint64_t> factors) {
    std::uint64_t r = 1;
    for (std::uint64_t f : factors)
        if (__builtin_mul_overflow(r, f, &r)) return std::nullopt;
    return r;
}

// ceil(a / b) for b > 0, without overflow.
constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
    return a / b + (a % b != 0 ? 1 : 0);
}

}  // namespace assay
