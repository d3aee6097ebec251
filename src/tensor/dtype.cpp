#include "tensor/dtype.h"

#include <array>

namespace assay {
namespace {

struct Row {
    std::string_view name;
    int bits;
};

constexpr std::array<Row, 15> kRows{{{"f64", 64}, {"f32", 32}, {"f16", 16}, {"bf16", 16}, {"f8_e4m3", 8}, {"f8_e5m2", 8},
                                     {"i64", 64}, {"i32", 32}, {"i16", 16}, {"i8", 8}, {"u64", 64}, {"u32", 32},
                                     {"u16", 16}, {"u8", 8}, {"bool", 8}}};

}  // namespace

int dtype_bits(DType type) { return kRows[static_cast<std::size_t>(type)].bits; }
std::string_view dtype_name(DType type) { return kRows[static_cast<std::size_t>(type)].name; }

}  // namespace assay
