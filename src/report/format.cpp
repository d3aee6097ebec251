// Number and text formatting.
#include "report/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

namespace assay {
namespace {

constexpr double kScientificBelow = 1e-3;
constexpr double kScientificFrom = 1e6;

bool is_scientific(double magnitude) {
    return magnitude != 0 && (magnitude < kScientificBelow || magnitude >= kScientificFrom);
}

// floor(log10(|value|)) after rounding to `digits` significant digits, so that 9.996 counts as 10.
int decimal_exponent(double value, int digits) {
    const std::string text = fmt::format("{:.{}e}", value, digits - 1);
    return std::atoi(text.c_str() + text.find('e') + 1);
}

// Bytes of the valid UTF-8 sequence at the front of `text`, 0 where there is none (RFC 3629: no overlong
// forms, no surrogates, nothing above U+10FFFF).
std::size_t utf8_sequence(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned lead = byte(0);
    const std::size_t length = lead < 0x80                   ? 1
                               : lead >= 0xc2 && lead < 0xe0 ? 2
                               : lead >= 0xe0 && lead < 0xf0 ? 3
                               : lead >= 0xf0 && lead < 0xf5 ? 4
                                                             : 0;
    if (length == 0 || length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xc0u) != 0x80u) return 0;
    const bool bad_second =
        length > 1 && ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) >= 0xa0) ||
                       (lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) >= 0x90));
    return bad_second ? 0 : length;
}

}  // namespace

std::string format_significant(double value, int digits) {
    if (!std::isfinite(value)) return std::string(kNoNumber);
    if (value == 0) return "0";
    if (is_scientific(std::abs(value))) return fmt::format("{:.{}e}", value, digits - 1);
    return fmt::format("{:.{}f}", value, std::max(0, digits - 1 - decimal_exponent(value, digits)));
}

std::string format_tick(double value) {
    return fmt::format("{:.3g}", value);
}

std::string format_signed(double value, int digits) {
    const std::string text = format_significant(value, digits);
    return std::isfinite(value) && value > 0 ? "+" + text : text;
}

std::string format_plus_minus(double value, const std::optional<Interval>& ci95) {
    const double half = ci95 ? (ci95->high - ci95->low) / 2 : 0;
    if (!std::isfinite(value) || !std::isfinite(half) || half <= 0) return format_significant(value);
    const double largest = std::max(std::abs(value), half);
    const int exponent = is_scientific(largest) ? decimal_exponent(largest, 3) : 0;
    const double unit = std::pow(10.0, exponent);
    const int decimals = std::clamp(1 - decimal_exponent(half / unit, 2), 0, 6);
    const std::string body = fmt::format("{:.{}f} ± {:.{}f}", value / unit, decimals, half / unit, decimals);
    return exponent == 0 ? body : fmt::format("({})e{:+03d}", body, exponent);
}

std::string format_interval(const std::optional<Interval>& interval, int digits) {
    if (!interval) return std::string(kNoNumber);
    return "[" + format_significant(interval->low, digits) + ", " +
           format_significant(interval->high, digits) + "]";
}

std::string format_percent(double fraction) {
    const double percent = 100 * fraction;
    if (!std::isfinite(percent)) return std::string(kNoNumber);
    if (percent == 0 || std::abs(percent) >= 0.95) return fmt::format("{:.1f} %", percent);
    return format_significant(percent, 2) + " %";
}

std::string format_percent_interval(const std::optional<Interval>& interval) {
    if (!interval) return std::string(kNoNumber);
    return fmt::format("[{}, {}]", format_percent(interval->low), format_percent(interval->high));
}

std::string format_count(std::int64_t count) {
    std::string text = std::to_string(count);
    const std::ptrdiff_t first = count < 0 ? 1 : 0;
    for (auto place = static_cast<std::ptrdiff_t>(text.size()) - 3; place > first; place -= 3)
        text.insert(static_cast<std::size_t>(place), 1, ',');
    return text;
}

std::string format_bytes(std::int64_t bytes) {
    constexpr std::array<const char*, 5> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB"};
    if (bytes < 1024) return std::to_string(bytes) + " B";
    double value = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
    return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string format_duration(double seconds) {
    if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e12) return std::string(kNoNumber);
    if (seconds < 0.9995) return fmt::format("{:.0f} ms", 1000 * seconds);
    if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
    const auto whole = static_cast<std::int64_t>(std::llround(seconds));
    if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
    return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
}

std::string safe_text(std::string_view text) {
    std::string shown;
    while (!text.empty()) {
        const std::size_t length = utf8_sequence(text);
        const auto lead = static_cast<unsigned char>(text[0]);
        const bool control =
            lead < 0x20 || lead == 0x7f || (lead == 0xc2 && length == 2 && (text[1] & 0x60) == 0);
        if (length == 0 || control)
            shown += "\xef\xbf\xbd";
        else
            shown += text.substr(0, length);
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return shown;
}

}  // namespace assay
