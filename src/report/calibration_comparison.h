// What the comparison of calibration sets says, as tables and sentences.
#pragma once

#include <string>
#include <vector>

#include "records/compare_calibration.h"
#include "report/blame_facts.h"

namespace assay {

// A row for each treatment, set and number of windows: KL on each text, averaged over the seeds, with its
// range.
TextRows calibration_rows(const CompareCalibrationResult& result);

// All pairs of sets, by their KL; and by their accuracy, where a task was asked for.
TextRows contrast_rows(const CompareCalibrationResult& result);
TextRows accuracy_contrast_rows(const CompareCalibrationResult& result);

// "continuation, acc_norm, 40 questions"; empty without a task.
std::string calibration_task_title(const CompareCalibrationResult& result);

// The model as it is, and each calibration: accuracy and the answers that change. No rows without a task.
TextRows calibration_task_rows(const CompareCalibrationResult& result);

// Of each set: effective rank and overlap, the median and the least over the inputs.
TextRows audit_rows(const CompareCalibrationResult& result);

// Which sets are shown to be better, whether random tokens are the worst, and which sets answer more
// questions right.
std::vector<std::string> calibration_conclusions(const CompareCalibrationResult& result);

}  // namespace assay
