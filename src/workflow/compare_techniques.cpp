// The verb compare techniques: the whole model treated by many methods, calibrated on the same windows and
// measured in one run.
#include <chrono>
#include <deque>
#include <memory>

#include <fmt/format.h>

#include "analyze/sensitivity.h"
#include "analyze/simple_allocation.h"
#include "base/error.h"
#include "base/resident.h"
#include "targets/kernels.h"
#include "treat/mixed_overlay.h"
#include "treat/treatment_overlay.h"
#include "workflow/calibrated_model.h"
#include "workflow/compared_rows.h"
#include "workflow/other_models.h"
#include "workflow/workflow.h"

namespace assay {
namespace {

constexpr double kMoreBits = 0.5;            // of mixed precision, beyond those of the base format
constexpr std::size_t kScoredWindows = 8;    // of the calibration, that mixed precision is allocated by
constexpr std::int64_t kLeastGroup = 32;     // of the row with smaller groups
constexpr std::int64_t kScoredContext = 32;  // leading positions of these that are not scored

IntFormat base_format(const TechniquesOptions& options) {
    const Treatment base = parse_treatment(options.base);
    const auto* format = std::get_if<IntFormat>(&base.format);
    if (format == nullptr || base.method != "rtn" || base.activations)
        throw InvalidArgument(
            "--base " + options.base +
            ": an integer format such as int4-g128 is expected; methods are compared in it");
    return *format;
}

// The methods that users choose between, in the base format, and other formats beside it.
std::vector<Treatment> usual_treatments(const IntFormat& base) {
    const std::string format = to_string(base);
    std::vector<std::string> texts{format + ":rtn"};
    if (base.tile.rows == 1 && base.tile.columns >= 2 * kLeastGroup) {
        IntFormat smaller = base;
        smaller.tile.columns /= 2;
        texts.push_back(to_string(smaller) + ":rtn");
    }
    for (const char* method :
         {":clip", ":clip(inputs)", ":gptq", ":gptq(act-order)", ":gptq(act-order,clip)",
          ":gptq(act-order,clip,search-damp)", ":gptq(act-order,clip,gradient-weights)",
          ":gptq(act-order,clip,grow)", ":awq", ":gptq(act-order,awq,clip)", ":yaqa(act-order,clip)"})
        texts.push_back(format + method);
    for (const char* text : {"int8-sym-channel+a8-token:rtn", "int8-sym-channel+a8-token:smooth",
                             "fp8-e4m3+afp8-token:rtn", "int8-sym-channel:rtn", "fp8-e4m3:rtn"})
        texts.emplace_back(text);
    std::vector<Treatment> out;
    for (const std::string& text : texts) out.push_back(parse_treatment(text));
    return out;
}

std::vector<Treatment> treatments_of(const TechniquesOptions& options) {
    if (options.treatments.empty()) return usual_treatments(base_format(options));
    std::vector<Treatment> out;
    for (const std::string& text : options.treatments) out.push_back(parse_treatment(text));
    return out;
}

// Time and memory that one technique took.
struct Cost {
    double seconds = 0;
    std::int64_t peak_bytes = 0;
};

template <class Work>
Cost measure_cost(const Work& work) {
    reset_peak_resident();
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    return {took.count(), peak_resident_bytes()};
}

class Techniques {
  public:
    Techniques(Session& session, std::vector<EvaluationWindow> calibration, std::vector<std::size_t> items,
               std::uint64_t seed)
        : session_(session), calibration_(std::move(calibration)), items_(std::move(items)), seed_(seed) {}

    void add(const Treatment& treatment) {
        session_.engine().progress.note(to_string(treatment));
        std::unique_ptr<WeightOverlay> overlay;
        costs_.push_back(measure_cost([&] {
            if (!is_calibrated(treatment))
                overlay = std::make_unique<TreatmentOverlay>(treatment, is_block_linear);
            else if (treatment.activations)
                overlay = treat_inputs(session_, treatment, calibration_);
            else
                overlay = treat(treatment);
        }));
        keep(to_string(treatment), all_in(treatment.format, items_), std::move(overlay));
        kernels_.push_back(kernels_of(treatment, shapes()));
    }

    // Each linear in `base` or in 8 bits with the same groups: 8 bits where the scores say that they take
    // most damage away for their bytes, up to so many bits a weight on average.
    void add_mixed(const IntFormat& base, double bits) {
        IntFormat large = base;
        large.bits = 8;
        std::map<std::string, Treatment, std::less<>> chosen;
        std::vector<NumberFormat> formats;
        costs_.push_back(measure_cost([&] {
            const std::vector<bool> larger = allocate(base, large, bits);
            for (std::size_t i = 0; i < items_.size(); ++i) {
                formats.push_back(larger[i] ? large : base);
                chosen.emplace(session_.model().items()[items_[i]].name, Treatment{.format = formats.back()});
            }
        }));
        std::vector<std::string> both = kernels_of({.format = base}, shapes());
        const std::vector<std::string> of_large = kernels_of({.format = large}, shapes());
        std::erase_if(both, [&](const std::string& name) {
            return std::find(of_large.begin(), of_large.end(), name) == of_large.end();
        });
        keep(fmt::format("{} and {}, {:.2f} bits", to_string(base), to_string(large), bits),
             std::move(formats), std::make_unique<MixedOverlay>(std::move(chosen)));
        kernels_.push_back(std::move(both));
    }

    CompareResult measure(const Evaluation& text) {
        CompareResult result = compare_models(session_, text, items_, models_, seed_);
        result.what = "techniques";
        for (std::size_t m = 0; m < models_.size(); ++m) {
            result.rows[m].seconds = costs_[m].seconds;
            result.rows[m].peak_bytes = costs_[m].peak_bytes;
            result.rows[m].kernels = kernels_[m];
            if (!growth_[m].empty()) result.rows[m].growth = growth_[m];
        }
        return result;
    }

  private:
    std::unique_ptr<WeightOverlay> treat(const Treatment& treatment) {
        TreatedModel treated =
            treat_model(session_, treatment, calibration_, seed_, fmt::format("weights-{}", models_.size()));
        growth_[models_.size()] = std::move(treated.growth);
        return std::move(treated.weights);
    }

    void keep(std::string name, std::vector<NumberFormat> formats, std::unique_ptr<WeightOverlay> overlay) {
        models_.push_back({std::move(name), std::move(formats), overlay.get()});
        overlays_.push_back(std::move(overlay));
    }

    std::vector<MatrixShape> shapes() const {
        std::vector<MatrixShape> out;
        for (std::size_t i : items_)
            out.push_back({session_.model().items()[i].out, session_.model().items()[i].in});
        return out;
    }

    std::vector<bool> allocate(const IntFormat& small, const IntFormat& large, double bits) {
        std::vector<EvaluationWindow> windows(
            calibration_.begin(), calibration_.begin() + static_cast<std::ptrdiff_t>(
                                                             std::min(kScoredWindows, calibration_.size())));
        for (EvaluationWindow& w : windows) w.context = std::min(kScoredContext, std::ssize(w.tokens) / 4);
        const SensitivityResult scores =
            measure_sensitivity(session_.model(), session_.engine(), windows,
                                {.treatments = {Treatment{.format = small}, Treatment{.format = large}},
                                 .items = items_,
                                 .method = SensitivityMethod::kScore});
        std::map<std::string, std::size_t> place;
        std::vector<FormatChoice> choices;
        std::int64_t weights = 0;
        for (std::size_t i : items_) {
            const LinearItem& item = session_.model().items()[i];
            place[item.name] = choices.size();
            choices.push_back({.bytes_small = storage_size(small, item.out, item.in).total_bytes(),
                               .bytes_large = storage_size(large, item.out, item.in).total_bytes()});
            weights += item.out * item.in;
        }
        for (const SensitivityLinear& row : scores.linears) {
            FormatChoice& choice = choices[place.at(row.name)];
            (row.treatment == to_string(Treatment{.format = small}) ? choice.damage_small
                                                                    : choice.damage_large) = row.kl;
        }
        return allocate_larger(choices, static_cast<std::int64_t>(bits * static_cast<double>(weights) / 8));
    }

    Session& session_;
    std::vector<EvaluationWindow> calibration_;
    std::vector<std::size_t> items_;
    std::uint64_t seed_;  // of labels and intervals
    std::vector<ComparedModel> models_;
    std::vector<std::unique_ptr<WeightOverlay>> overlays_;
    std::vector<Cost> costs_;
    std::map<std::size_t, std::vector<GrowthStep>> growth_;  // by model
    std::vector<std::vector<std::string>> kernels_;
};

}  // namespace

Envelope compare_techniques(const TechniquesOptions& options, Progress& progress, const CancelToken& cancel) {
    const std::vector<Treatment> treatments = treatments_of(options);
    Session session(options.model, progress, cancel);
    const Model& model = session.model();
    const Evaluation text = session.evaluation(options.text);
    auto calibration = options.calibration_ids ? calibration_of_ids(session, *options.calibration_ids)
                                               : session.calibration(options.calibration, text.windows);
    session.set("seed", options.seed);
    Json names = Json::array();
    std::vector<Workload> work{{&model, std::ssize(treatments) + 2, {}, text.windows}};
    for (const Treatment& treatment : treatments) {
        names.push_back(to_string(treatment));
        if (is_calibrated(treatment)) {
            const auto own = calibration_work(session, treatment, calibration);
            work.insert(work.end(), own.begin(), own.end());
        }
    }
    session.set("treatments", names);
    session.prepare(work);
    Techniques techniques(session, std::move(calibration), block_linears(model, session.select_items("")),
                          options.seed);
    for (const Treatment& treatment : treatments) techniques.add(treatment);
    if (options.treatments.empty()) {
        const IntFormat base = base_format(options);
        const double bits =
            storage_size(base, 1, base.tile.columns > 0 ? base.tile.columns : 4096).effective_bits();
        session.set("base", to_string(base));
        techniques.add_mixed(base, options.budget.value_or(bits + kMoreBits));
    }
    return session.finish(techniques.measure(text));
}

}  // namespace assay
