// The colours of the page's maps.
#pragma once

#include <array>
#include <string>

namespace assay {

struct Rgb {
    double r, g, b;
};

// Nine points of matplotlib's viridis: even steps of lightness, readable for colour-blind eyes and in grey.
inline constexpr std::array<Rgb, 9> kViridis = {{{68, 1, 84},
                                                 {71, 44, 122},
                                                 {59, 81, 139},
                                                 {44, 113, 142},
                                                 {33, 144, 141},
                                                 {39, 173, 129},
                                                 {92, 200, 99},
                                                 {170, 220, 50},
                                                 {253, 231, 37}}};

// "#440154", for t from 0 (least) to 1 (most); beyond, the nearer end.
std::string viridis(double t);

// Attention before MLP, each in the order of computation; unknown names after them.
std::size_t usual_place_of_projection(const std::string& projection);

}  // namespace assay
