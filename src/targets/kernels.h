// Which kernels of deployed runtimes can multiply with weights of a treatment: rules as data.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "records/treatment.h"

namespace assay {

// What a weight-only kernel for integers takes of a matrix [out, in].
struct IntegerKernel {
    std::string_view name;
    std::string_view source;           // file of the runtime that says so, and which version was read
    std::vector<int> symmetric;        // bits
    std::vector<int> asymmetric;       // bits
    std::vector<std::int64_t> groups;  // input channels of a group, 0 for whole rows; empty: any
    std::int64_t out_multiple = 1;
    std::int64_t in_multiple = 1;
    bool reordered_groups = false;  // groups of columns in another order than the matrix's (g_idx)
};
std::span<const IntegerKernel> integer_kernels();

// A kernel for weights of one format: of floats, or with inputs rounded, too.
struct FormatKernel {
    std::string_view name;
    std::string_view source;
    NumberFormat format;         // scales of any type
    bool rounds_inputs = false;  // 8-bit inputs, a scale for each position or for all
    std::int64_t out_multiple = 1;
    std::int64_t in_multiple = 1;
};
std::span<const FormatKernel> format_kernels();

struct MatrixShape {
    std::int64_t out = 0, in = 0;
};

// Names of the kernels that take all of these matrices under the treatment, in the order of the rules;
// empty: the weights must be unpacked to 16 bits to be used. Groups must divide the rows wherever kernels
// have groups; a treatment whose columns are grouped in another order than they have (GPTQ with act-order and
// without static groups) needs kernels that say so.
std::vector<std::string> kernels_of(const Treatment& treatment, std::span<const MatrixShape> matrices);

}  // namespace assay
