// Which calibration sets are better than others, and whether that is shown.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "records/compare_calibration.h"

namespace assay {

struct CalibrationContrasts {
    std::vector<CalibrationContrast> damage;    // of KL
    std::vector<CalibrationContrast> accuracy;  // on the task, where the runs have one
};

// Of each treatment and text, all pairs of sets with the same numbers of samples and tokens, in the order in
// which they come. With kl_as the mean KL of set a under seed s and d_i the difference of the block sums of
// block i, averaged over the seeds,
//   difference = Σ_i d_i / T,   SE² = Σ_i (n (d_i - t_i difference) / T)² / (n (n - 1)) + (s_a² + s_b²) / S
// over n blocks of t_i tokens, T in all, and S seeds with variances s² of kl_as. Intervals and q-values
// are of Student's distribution with Satterthwaite's degrees of freedom (stats/spread.h). With one seed the
// second part, the luck of which windows were drawn, is not known and left out.
// Accuracy the same way, question i a block of one token and d_i the share of the seeds that answer it wrong.
// With one seed p is McNemar's exact one and the interval Bonett and Price's (stats/proportions.h). With
// several p is the larger of Student's and of the exact sign test over the questions that one set answers
// right more often: where few differ Student's is too small.
// q-values are over all contrasts, of KL and of accuracy.
// Throws InvalidArgument where runs of one text have different blocks, or other numbers of questions.
CalibrationContrasts contrast_sets(std::span<const CalibrationRun> runs);

}  // namespace assay
