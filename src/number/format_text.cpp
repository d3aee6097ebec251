#include "number/format_text.h"

#include <charconv>
#include <string>

#include "base/error.h"

namespace assay {

bool FormatText::take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
}

std::int64_t FormatText::take_positive() {
    if (rest_.empty() || rest_.front() < '1' || rest_.front() > '9') return 0;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc{}) return 0;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return value;
}

void FormatText::reject(std::string_view expected) const {
    throw InvalidArgument(
        "number format '" + std::string(whole_) + "': " + std::string(expected) +
        "; valid are for example int4-g128, int4-sym-g64(scale=bf16), int8-channel, fp8-e4m3, "
        "fp8-e4m3-b128x128(scale=f32), mxfp4, nvfp4");
}

Tile take_tile(FormatText& text, std::string_view before) {
    if (text.take("-channel")) return kChannelTile;
    if (text.take("-tensor")) return kTensorTile;
    if (text.take("-g")) {
        const std::int64_t columns = text.take_positive();
        if (columns == 0) text.reject("after 'g' the group size is expected, a positive number of columns");
        return group_tile(columns);
    }
    if (text.take("-b")) {
        const std::int64_t rows = text.take_positive();
        const std::int64_t columns = rows > 0 && text.take("x") ? text.take_positive() : 0;
        if (columns == 0) text.reject("after 'b' the block is expected, ROWSxCOLUMNS, both positive");
        return {rows, columns};
    }
    text.reject(std::string(before) +
                "'-g' and the group size, '-b' and ROWSxCOLUMNS, '-channel' or '-tensor' are expected");
}

ScaleType take_scale(FormatText& text, ScaleType usual) {
    if (text.at_end()) return usual;
    for (const ScaleType type : {ScaleType::kF16, ScaleType::kBf16, ScaleType::kF32}) {
        if (text.take("(scale=" + to_string(type) + ")") && text.at_end()) return type;
    }
    text.reject("the only option is (scale=f16), (scale=bf16) or (scale=f32), at the end");
}

}  // namespace assay
