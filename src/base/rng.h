// Seeded random numbers that are the same on every machine, standard library and thread count.
#pragma once

#include <cstdint>

namespace assay {

// SplitMix64 (Steele, Lea, Flood 2014): a 64-bit counter through a bijective mixer. Streams of different
// seeds or stream numbers are independent for our purposes (bootstrap draws, random tests).
class Rng {
  public:
    explicit Rng(std::uint64_t seed, std::uint64_t stream = 0) : state_(mix(seed) ^ mix(~stream)) {}

    std::uint64_t next() {
        state_ += 0x9e3779b97f4a7c15u;
        return mix(state_);
    }

    // Uniform in [0, 1), 53 bits.
    double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

    // Uniform in [0, n) for n > 0, by multiply-shift (bias below n / 2^64).
    std::uint64_t below(std::uint64_t n) {
        return static_cast<std::uint64_t>((static_cast<Wide>(next()) * n) >> 64);
    }

  private:
    __extension__ using Wide = unsigned __int128;

    static constexpr std::uint64_t mix(std::uint64_t z) {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }

    std::uint64_t state_;
};

}  // namespace assay
