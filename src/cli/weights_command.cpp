// The verb weights.
#include <memory>

#include "cli/command.h"
#include "workflow/workflow.h"

namespace assay::cli {

void add_weights(CLI::App& app, Action& chosen) {
    struct Values {
        WeightsOptions options;
        CalibrationText calibration{.samples = 32, .length = 512};
        std::string json;
    };
    const auto values = std::make_shared<Values>();
    CLI::App& verb =
        *app.add_subcommand("weights", "reconstruction error and outliers of every linear; needs no text");
    verb.footer(
        "Examples:\n  assay weights MODEL --treatment int4-sym-g64\n  assay weights MODEL --sweep all "
        "--histograms --json weights.json\n  assay report weights.json -o weights.html\n  assay weights "
        "MODEL "
        "--sweep clip --calibration mixed --samples 16");
    add_model_options(verb, values->options.model);
    add_treatment_option(verb, values->options.treatment);
    add_linears_option(verb, values->options.linears);
    verb.add_option(
            "--sweep", values->options.sweep,
            "groups: 3, 4 and 8 bits, symmetric or not, in groups of 32, 64, 128, 256 and whole rows; "
            "clip: ranges cut at percentiles of |w|, and where the squared error is least (with "
            "--calibration "
            "also the output's); all: both")
        ->check(CLI::IsMember({"none", "groups", "clip", "all"}))
        ->capture_default_str();
    add_calibration_options(verb, values->calibration);
    verb.add_option("--seed", values->calibration.seed, "of the choice of calibration windows")
        ->capture_default_str();
    CLI::Option* calibration = verb.get_option("--calibration");
    calibration->default_str("none: no text is read");
    for (const char* name : {"--calibration-field", "--samples", "--length", "--seed"})
        verb.get_option(name)->needs(calibration);
    verb.add_flag("--histograms", values->options.histograms,
                  "record each linear's distribution of weights and a map of its errors, for the page of "
                  "`assay report`");
    verb.add_option("--range-ratio", values->options.range_ratio,
                    "warn of linears whose weights beyond 4 sigma make the range so many times as wide")
        ->check(CLI::Range(1.0, 1e9))
        ->capture_default_str();
    add_json_option(verb, values->json);
    verb.callback([&chosen, values, calibration] {
        if (calibration->count() > 0) values->options.calibration = values->calibration;
        chosen = [values](const Context& context) {
            show(measure_weights(values->options, context.progress, context.cancel), values->json);
        };
    });
}

}  // namespace assay::cli
