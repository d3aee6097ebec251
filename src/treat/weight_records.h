// The numbers of one linear's weights as records.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/model.h"
#include "quantize/clip_sweep.h"
#include "quantize/error_map.h"
#include "quantize/one_value_groups.h"
#include "quantize/reconstruction.h"
#include "quantize/row_scan.h"
#include "quantize/weight_histogram.h"
#include "quantize/weight_outliers.h"
#include "records/weights.h"

namespace assay {

void add_moments(const WeightMoments& moments, const WeightOutliers& outliers,
                 const std::optional<OneValueGroups>& groups, WeightsLinear& out);
void add_errors(const ReconstructionError& error, const WeightMoments& moments, WeightsLinear& out);

WeightBins to_record(const WeightHistogram& histogram);
// Errors are rounded to four digits: they are for pictures.
WeightErrorMap to_record(const ErrorMap& map);

// In the order of group_sweep_formats(), whose squared errors are given.
std::vector<GroupSweepRow> group_rows(const LinearItem& item, std::span<const double> squared_errors,
                                      const WeightMoments& moments);

// In the order of the settings.
std::vector<ClipSweepRow> clip_rows(const std::vector<ClipSetting>& settings,
                                    const std::vector<ClipOutcome>& outcomes, const WeightMoments& moments);

// Marks the rows of a clip sweep with the least total error and, where they have one, the least output error
// of those in `format`, the first of equals.
void mark_best(const std::string& format, std::vector<ClipSweepRow>& rows);

// What the file says (an empty type: nothing), and what kQuantizationRows rows, evenly spread, show; none
// where neither tells of few bits.
std::optional<AlreadyQuantized> find_quantization(const RowSource& rows, const std::string& stored_type,
                                                  ThreadPool& pool);
inline constexpr std::int64_t kQuantizationRows = 4;

}  // namespace assay
