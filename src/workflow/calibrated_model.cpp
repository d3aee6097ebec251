#include "workflow/calibrated_model.h"

#include <fmt/format.h>

#include <chrono>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/mapped_file.h"
#include "measure/activations.h"
#include "text/windows.h"
#include "treat/damp_search.h"
#include "treat/input_scales.h"
#include "treat/sequential.h"
#include "workflow/other_models.h"

namespace assay {

std::vector<EvaluationWindow> calibration_of_ids(Session& session, const std::filesystem::path& ids) {
    const ModelConfig& config = session.model().config();
    std::vector<EvaluationWindow> windows = parse_ids(read_file(ids), ids.string(), config.vocabulary);
    if (longest_window(windows) > config.max_positions) {
        throw InvalidArgument(
            fmt::format("{}: a window of {} tokens is longer than the model's context of {}", ids.string(),
                        longest_window(windows), config.max_positions));
    }
    session.add_input(ids);
    session.set("calibration", "ids of " + ids.string());
    session.set("calibration_windows", windows.size());
    session.set("calibration_sha256", windows_sha256(windows));
    return windows;
}

namespace {

std::vector<std::size_t> all_block_linears(const Model& model) {
    std::vector<std::size_t> all(model.items().size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    return block_linears(model, std::move(all));
}

Workload calibration_workload(const Model& model, const Treatment& treatment,
                              std::span<const EvaluationWindow> calibration) {
    return {.model = &model,
            .windows = calibration,
            .calibrated = true,
            .gradients = uses_gradients(treatment),
            .halves = searches_damping(treatment),
            .scalings = scales_inputs(treatment) ? kAwqSteps : 0};
}

// Ranges of inputs, and where α is searched, the search on half of the windows.
std::vector<Workload> ranges_work(Session& session, const Treatment& treatment,
                                  std::span<const EvaluationWindow> calibration) {
    const Model& model = session.model();
    std::vector<Workload> work{
        activations_workload(model, session.engine().backend, calibration, all_block_linears(model))};
    const auto half = calibration.first((calibration.size() + 1) / 2);
    constexpr auto kTried = static_cast<std::int64_t>(std::size(kSearchedAlphas));
    if (is_set(treatment, "one-alpha"))
        work.push_back({&model, kTried + 1, {}, half});
    else if (is_set(treatment, "scored"))
        work.push_back(score_workload(model, std::size(kSearchedAlphas), half));
    return work;
}

}  // namespace

std::vector<Workload> calibration_work(Session& session, const Treatment& treatment,
                                       std::span<const EvaluationWindow> calibration) {
    const Model& model = session.model();
    if (treatment.activations) return ranges_work(session, treatment, calibration);
    if (!is_set(treatment, "grow")) return {calibration_workload(model, treatment, calibration)};
    std::vector<Workload> work;
    for (const std::size_t n : growth_sizes(calibration.size())) {
        work.push_back(calibration_workload(model, treatment, calibration.first(n)));
        work.push_back({&model, 2, {}, calibration.last(growth_held_out(calibration.size()))});
    }
    return work;
}

std::unique_ptr<RoundedInputs> treat_inputs(Session& session, const Treatment& treatment,
                                            std::span<const EvaluationWindow> calibration) {
    const Model& model = session.model();
    const std::vector<Treatment> treatments{treatment};
    return std::move(
        calibrate_inputs(model, session.engine(), calibration, all_block_linears(model), treatments).front());
}

TreatedModel treat_model(Session& session, const Treatment& treatment,
                         std::span<const EvaluationWindow> calibration, std::uint64_t seed,
                         const std::string& kept) {
    SequentialOptions options{.treatment = treatment,
                              .items = all_block_linears(session.model()),
                              .folder = session.kept_folder(kept),
                              .seed = seed};
    options.treatment.options.erase("grow");
    if (!is_set(treatment, "grow"))
        return {treat_sequentially(session.model(), session.engine(), calibration, options), {}};
    return grow_calibration(session, calibration, [&](std::span<const EvaluationWindow> windows) {
        options.folder = session.kept_folder(fmt::format("{}-{}", kept, windows.size()));
        return treat_sequentially(session.model(), session.engine(), windows, options);
    });
}

}  // namespace assay
