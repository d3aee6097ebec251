#include "report/viridis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace assay {

std::string viridis(double t) {
    const double place = std::clamp(t, 0.0, 1.0) * (kViridis.size() - 1);
    const auto index = std::min(static_cast<std::size_t>(place), kViridis.size() - 2);
    const double f = place - static_cast<double>(index);
    const Rgb& a = kViridis[index];
    const Rgb& b = kViridis[index + 1];
    const auto mix = [f](double x, double y) { return static_cast<int>(std::lround(x + f * (y - x))); };
    return fmt::format("#{:02x}{:02x}{:02x}", mix(a.r, b.r), mix(a.g, b.g), mix(a.b, b.b));
}

std::size_t usual_place_of_projection(const std::string& projection) {
    static const std::array<std::string_view, 9> order = {"qkv_proj",     "q_proj",  "k_proj",
                                                          "v_proj",       "o_proj",  "gate_proj",
                                                          "gate_up_proj", "up_proj", "down_proj"};
    return static_cast<std::size_t>(std::find(order.begin(), order.end(), projection) - order.begin());
}

}  // namespace assay
