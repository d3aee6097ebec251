#include "report/compare_rows.h"

#include <fmt/format.h>

#include "report/format.h"

namespace assay {

TextRows compare_rows(const CompareResult& result) {
    TextRows table{
        {"treatment", "bits", "MB", "output error", "KL, nats", "95 %", "perplexity", "Δ", "same top"}, {}};
    for (const CompareRow& row : result.rows) {
        table.rows.push_back(
            {row.name + (row.ragged_linears > 0 ? " (ragged)" : ""),
             fmt::format("{:.3f}", row.effective_bits),
             fmt::format("{:.1f}", static_cast<double>(row.bytes) / 1e6), format_percent(row.output_error),
             format_significant(row.kl), format_interval(row.kl_ci95), format_significant(row.ppl, 5),
             fmt::format("{:+.2f} %", row.delta_percent), format_percent(row.top1_agreement)});
    }
    return table;
}

}  // namespace assay
