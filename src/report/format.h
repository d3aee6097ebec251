// Numbers as people read them; every report prints through these.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/interval.h"

namespace assay {

// What stands where there is no number.
inline constexpr std::string_view kNoNumber = "–";

// `digits` significant digits: "0.0123", "25.5", "1234"; scientific below 1e-3 and from 1e6: "5.47e-05".
// NaN and infinities print as kNoNumber.
std::string format_significant(double value, int digits = 3);

// The label of an axis tick, which is a round number: "0.15", "0.0002", "1e-05".
std::string format_tick(double value);

// As format_significant, with a sign always shown: "+0.0123", "-2.10e-05", "0" for zero.
std::string format_signed(double value, int digits = 3);

// Value and half the interval's width, to the same place (two digits of the half width): "0.589 ± 0.041",
// "(5.47 ± 0.31)e-05". The value alone where there is no interval.
std::string format_plus_minus(double value, const std::optional<Interval>& ci95);

// "[0.551, 0.631]", or kNoNumber.
std::string format_interval(const std::optional<Interval>& interval, int digits = 3);

// A fraction in percent: 0.6234 -> "62.3 %", 0.00042 -> "0.042 %".
std::string format_percent(double fraction);

// "[60.1 %, 64.6 %]", or kNoNumber.
std::string format_percent_interval(const std::optional<Interval>& interval);

// "134,515,008"
std::string format_count(std::int64_t count);

// "256.6 MiB", "17 B"
std::string format_bytes(std::int64_t bytes);

// "850 ms", "12.3 s", "4 min 05 s", "2 h 07 min"
std::string format_duration(double seconds);

// Text from files made safe to show: control characters and bytes that are not UTF-8 become U+FFFD, so that a
// name can neither move a terminal's cursor nor break a document's encoding.
std::string safe_text(std::string_view text);

}  // namespace assay
