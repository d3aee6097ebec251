#include "tensor/dtype.h"

#include <array>

namespace assay {
namespace {

struct Row {
    std::string_view name;
    int bits;
};

// In the order of the enumerators.
constexpr auto kRows = std::to_array<Row>({
    {"f64", 64},    {"f32", 32},        {"f16", 16},        {"bf16", 16},   {"f8_e4m3", 8}, {"f8_e5m2", 8},
    {"f8_e8m0", 8}, {"f8_e4m3fnuz", 8}, {"f8_e5m2fnuz", 8}, {"f6_e2m3", 6}, {"f6_e3m2", 6}, {"f4", 4},
    {"c64", 64},    {"i64", 64},        {"i32", 32},        {"i16", 16},    {"i8", 8},      {"u64", 64},
    {"u32", 32},    {"u16", 16},        {"u8", 8},          {"bool", 8},
});
static_assert(kRows.size() == static_cast<std::size_t>(DType::kBool) + 1);

}  // namespace

int dtype_bits(DType type) {
    return kRows[static_cast<std::size_t>(type)].bits;
}
std::string_view dtype_name(DType type) {
    return kRows[static_cast<std::size_t>(type)].name;
}

}  // namespace assay
