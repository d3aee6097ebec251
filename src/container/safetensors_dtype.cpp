#include "container/safetensors_dtype.h"

#include <array>

#include "base/error.h"

namespace assay {
namespace {

struct Row {
    std::string_view spelling;
    DType type;
};

constexpr auto kRows = std::to_array<Row>({
    {"F4", DType::kF4},
    {"F6_E2M3", DType::kF6E2M3},
    {"F6_E3M2", DType::kF6E3M2},
    {"BOOL", DType::kBool},
    {"U8", DType::kU8},
    {"I8", DType::kI8},
    {"F8_E5M2", DType::kF8E5M2},
    {"F8_E4M3", DType::kF8E4M3},
    {"F8_E8M0", DType::kF8E8M0},
    {"F8_E4M3FNUZ", DType::kF8E4M3FNUZ},
    {"F8_E5M2FNUZ", DType::kF8E5M2FNUZ},
    {"I16", DType::kI16},
    {"U16", DType::kU16},
    {"F16", DType::kF16},
    {"BF16", DType::kBF16},
    {"I32", DType::kI32},
    {"U32", DType::kU32},
    {"F32", DType::kF32},
    {"C64", DType::kC64},
    {"F64", DType::kF64},
    {"I64", DType::kI64},
    {"U64", DType::kU64},
});

}  // namespace

std::optional<DType> find_safetensors_dtype(std::string_view spelling) {
    for (const Row& row : kRows) {
        if (row.spelling == spelling) return row.type;
    }
    return std::nullopt;
}

std::string_view safetensors_dtype(DType type) {
    for (const Row& row : kRows) {
        if (row.type == type) return row.spelling;
    }
    throw InvalidArgument("safetensors_dtype: not an element type");
}

}  // namespace assay
