// What the weights look like, and what treatments, group sizes and clips do to them; needs no text.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "measure/activations.h"
#include "model/pass.h"
#include "records/treatment.h"
#include "records/weights.h"

namespace assay {

// What is looked at besides moments, outliers and the treatment's own error.
struct WeightLook {
    bool group_sweep = false;  // quantize/group_sweep.h
    bool clip_sweep = false;   // quantize/clip_sweep.h, of the treatment's format
    bool histograms = false;   // and maps of the treatment's errors
    double range_ratio_limit = 2;
    // Where given, the clip sweep of items with an input here tells the output's error, too, and searches by
    // it. All items in blocks must be here.
    const Activations* inputs = nullptr;
    // Where given, called for each item (index into Model::items()) while its weight, read for this look, is
    // still in memory.
    std::function<void(std::size_t item)> beside;
};

// Of the given items (indexes into Model::items()), in their order. Formulas: quantize/weight_moments.h,
// weight_outliers.h, one_value_groups.h, reconstruction.h; sizes: number/number_format.h, storage_size.
// Each weight is read from the disk once and looked at row by row, so that its size needs no memory: once,
// where the outliers can be kept from the first look; histograms need a second look, the clip sweep up to
// three. Treatments whose scales serve several rows need it whole.
// Throws NumericError naming the tensor at NaN, Inf or a scale that overflows its type; InvalidArgument for a
// clip sweep of a format that clip_sweep_settings() refuses.
WeightsResult measure_weight_errors(const Model& model, std::span<const std::size_t> items,
                                    const Treatment& treatment, const Engine& engine,
                                    const WeightLook& look = {});

}  // namespace assay
