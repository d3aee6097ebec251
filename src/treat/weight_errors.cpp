#include "treat/weight_errors.h"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <future>
#include <map>
#include <string>

#include "base/error.h"
#include "quantize/clip_sweep.h"
#include "quantize/group_sweep.h"
#include "quantize/magnitude_quantiles.h"
#include "quantize/one_value_groups.h"
#include "quantize/weight_histogram.h"
#include "quantize/weight_outliers.h"
#include "treat/sweep_totals.h"
#include "treat/treated_rows.h"
#include "treat/weight_records.h"

namespace assay {
namespace {

// What is measured of every item alike.
struct Task {
    const Model& model;
    const Treatment& treatment;
    const WeightLook& look;
    const Engine& engine;
    std::map<std::string, std::string> stored_types;  // of few bits, by the tensor's name
};

// What the clip sweep of one item is made of.
struct Clips {
    std::vector<ClipSetting> settings;  // none: there is no sweep
    std::vector<float> column_weights;  // of its input; none: it has none, or no statistics

    Clips(const Task& task, const LinearItem& item) {
        if (!task.look.clip_sweep) return;
        const auto index = static_cast<std::size_t>(&item - task.model.items().data());
        const Activations* inputs = task.look.inputs;
        if (inputs != nullptr && item.block >= 0 && !inputs->has_input(index))
            throw InvalidArgument(item.name + ": the statistics of its input are missing");
        if (inputs != nullptr && inputs->has_input(index))
            column_weights = energy_shares(inputs->input(index).channel_energy);
        settings = clip_sweep_settings(task.treatment.format, !column_weights.empty());
    }
};

// All that one look at the rows can tell.
class FirstLook {
  public:
    FirstLook(const Task& task, const LinearItem& item, const RowSource& rows, const SigmaBand& likely,
              const Clips& clips, MagnitudeQuantiles* quantiles)
        : moments(first_row_mean(rows)),
          candidates(likely, item.in),
          one_value(task.treatment.format, item.in),
          quantiles_(quantiles) {
        if (treats_row_by_row(task.treatment)) treated.emplace(item, task.treatment, task.look.histograms);
        if (task.look.group_sweep) groups.emplace(item.in);
        if (task.look.clip_sweep) searches.emplace(clips.settings, item.in, clips.column_weights);
    }

    void add(const RowPanel& panel) {
        moments.add(panel);
        candidates.add(panel);
        if (groups) groups->add(panel);  // the first to ask for ranges: it needs the finest
        one_value.add(panel);
        if (treated) treated->add(panel);
        if (searches) searches->add(panel);
        if (quantiles_ != nullptr) quantiles_->add(panel);
    }
    void merge(FirstLook&& other) {
        moments.merge(other.moments);
        candidates.merge(std::move(other.candidates));
        one_value.merge(other.one_value);
        if (treated) treated->merge(*other.treated);
        if (groups) groups->merge(*other.groups);
        if (searches) searches->merge(*other.searches);
    }

    MomentSums moments;
    OutlierCandidates candidates;
    OneValueSums one_value;
    std::optional<TreatedSums> treated;
    std::optional<GroupSweepSums> groups;
    std::optional<ClipSearchSums> searches;

  private:
    MagnitudeQuantiles* quantiles_;  // counts of all threads go into one
};

// What the moments, and for clips the quantiles of |w|, are needed for.
class SecondLook {
  public:
    SecondLook(const Task& task, const WeightMoments& moments) {
        if (task.look.histograms) histogram.emplace(moments);
    }

    bool needed() const { return outliers || histogram || clips || refined != nullptr; }

    void add(const RowPanel& panel) {
        if (outliers) outliers->add(panel);
        if (histogram) histogram->add(panel);
        if (clips) clips->add(panel);
        if (refined != nullptr) refined->add_second(panel);
    }
    void merge(SecondLook&& other) {
        if (outliers) outliers->merge(std::move(*other.outliers));
        if (histogram) histogram->merge(*other.histogram);
        if (clips) clips->merge(*other.clips);
    }

    std::optional<OutlierSums> outliers;  // where the first look could not keep them
    std::optional<HistogramSums> histogram;
    std::optional<ClipAtSums> clips;        // where the quantiles are known
    MagnitudeQuantiles* refined = nullptr;  // where they are not
};

// The outcomes of searches and of percentiles in the order of the settings.
std::vector<ClipOutcome> in_order(const std::vector<ClipSetting>& settings,
                                  const std::vector<ClipOutcome>& searched,
                                  const std::vector<ClipOutcome>& at) {
    std::vector<ClipOutcome> all;
    auto next_searched = searched.begin();
    auto next_at = at.begin();
    for (const ClipSetting& setting : settings)
        all.push_back(setting.rule == ClipRule::kPercentile ? *next_at++ : *next_searched++);
    return all;
}

// A magnitude that the clip sweep's quantiles most likely lie above: 1.5 std, of the 2.8 that `likely` holds.
float quantile_floor(const SigmaBand& likely) {
    static_assert(kClipPercentiles.front() >= 0.99);
    const float floor = 1.5f / static_cast<float>(kLikelySigmas) * std::min(-likely.low, likely.high);
    return floor > 0 && std::isfinite(floor) ? floor : 0;
}

std::vector<double> percentiles_of(const std::vector<ClipSetting>& settings) {
    std::vector<double> all;
    for (const ClipSetting& s : settings) {
        if (s.rule == ClipRule::kPercentile) all.push_back(s.percentile);
    }
    return all;
}

WeightsLinear look_at(const Task& task, const LinearItem& item) {
    ThreadPool& pool = task.engine.pool;
    const RowSource rows = weight_rows(task.model, item);
    const Clips clips(task, item);
    std::optional<MagnitudeQuantiles> quantiles;
    const SigmaBand likely = likely_inside(rows);
    if (task.look.clip_sweep) quantiles.emplace(percentiles_of(clips.settings), quantile_floor(likely));
    MagnitudeQuantiles* const counted = quantiles ? &*quantiles : nullptr;
    const FirstLook first = scan_rows(rows, pool, FirstLook(task, item, rows, likely, clips, counted));
    const WeightMoments moments = first.moments.moments();
    std::optional<WeightOutliers> outliers = first.candidates.outliers(moments, pool);
    SecondLook look(task, moments);
    if (!outliers) look.outliers.emplace(moments, rows.cols);
    const bool again = quantiles && quantiles->needs_second_look(rows, pool);
    const auto clipped_at = [&] {
        return ClipAtSums(clips.settings, quantiles->quantiles(), moments, rows.cols, clips.column_weights);
    };
    if (again) look.refined = counted;
    if (quantiles && !again) look.clips = clipped_at();
    const SecondLook second = look.needed() ? scan_rows(rows, pool, look) : look;
    if (!outliers) outliers = second.outliers->outliers();

    WeightsLinear out;
    out.name = item.name;
    out.shape = {item.out, item.in};
    out.treatment = to_string(task.treatment);
    out.effective_bits = storage_size(task.treatment.format, item.out, item.in).effective_bits();
    add_moments(moments, *outliers, first.one_value.groups(), out);
    const TreatedSums treated =
        first.treated ? *first.treated
                      : treat_whole(task.model, item, task.treatment, task.look.histograms, pool);
    add_errors(treated.error(moments.squares), moments, out);
    if (const auto map = treated.map()) out.error_map = to_record(*map);
    if (second.histogram) out.histogram = to_record(second.histogram->histogram());
    if (first.groups) out.group_sweep = group_rows(item, first.groups->squared_errors(), moments);
    if (quantiles) {
        const ClipAtSums at = again ? scan_rows(rows, pool, clipped_at()) : *second.clips;
        out.clip_sweep = clip_rows(
            clips.settings, in_order(clips.settings, first.searches->outcomes(), at.outcomes()), moments);
        mark_best(to_string(task.treatment.format), *out.clip_sweep);
    }
    const auto type = task.stored_types.find(item.name + ".weight");
    out.already_quantized =
        find_quantization(rows, type == task.stored_types.end() ? "" : type->second, pool);
    return out;
}

// A scale that overflows is named with its row only by the whole matrix's treatment.
WeightsLinear measure_item(const Task& task, const LinearItem& item) {
    try {
        return look_at(task, item);
    } catch (const NumericError& e) {
        treat_whole(task.model, item, task.treatment, false, task.engine.pool);  // throws where it was that
        throw NumericError(item.name + ": " + e.what());
    }
}

std::map<std::string, std::string> quantized_types(const WeightSource& weights) {
    std::map<std::string, std::string> types;
    for (const StoredTensor& t : weights.tensors()) {
        if (t.quantized) types[t.name] = t.type;
    }
    return types;
}

std::uint64_t elements(const LinearItem& item) {
    return static_cast<std::uint64_t>(item.out) * static_cast<std::uint64_t>(item.in);
}

// Times that this thread waited for a disk. Source: getrusage(2).
std::int64_t disk_reads() {
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_inblock;
}

// Reads tensors from the disk while those before them are looked at, until one of them needed no disk: what
// is in the system's cache already would only be copied.
class ReadAhead {
  public:
    explicit ReadAhead(const WeightSource& weights) : weights_(weights) {}

    void start(const std::string& name) {
        if (!useful_) return;
        running_ = std::async(std::launch::async, [this, name] {
            const std::int64_t before = disk_reads();
            weights_.fetch(name);
            useful_ = disk_reads() > before;
        });
    }
    void wait() {
        if (running_.valid()) running_.get();
    }

  private:
    const WeightSource& weights_;
    bool useful_ = true;  // the task's until wait()
    std::future<void> running_;
};

}  // namespace

WeightsResult measure_weight_errors(const Model& model, std::span<const std::size_t> items,
                                    const Treatment& treatment, const Engine& engine,
                                    const WeightLook& look) {
    const Task task{model, treatment, look, engine, quantized_types(model.weights())};
    if (look.clip_sweep) clip_sweep_settings(treatment.format, false);  // throws before the work begins
    std::uint64_t total = 0;
    for (std::size_t i : items) total += elements(model.items()[i]);
    engine.progress.begin("weights", total);
    WeightsResult result;
    ReadAhead ahead(model.weights());
    for (std::size_t n = 0; n < items.size(); ++n) {
        const LinearItem& item = model.items()[items[n]];
        ahead.wait();
        if (n + 1 < items.size()) ahead.start(model.items()[items[n + 1]].name + ".weight");
        result.linears.push_back(measure_item(task, item));
        if (look.beside) look.beside(items[n]);
        model.weights().release(item.name + ".weight");
        engine.progress.advance(elements(item));
        engine.cancel.check();
    }
    engine.progress.end();
    summarise(model, items, look.range_ratio_limit, result);
    return result;
}

}  // namespace assay
