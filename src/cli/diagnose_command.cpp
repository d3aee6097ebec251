// The verb diagnose.
#include <memory>

#include "base/atomic_file.h"
#include "cli/command.h"
#include "report/html_report.h"
#include "workflow/workflow.h"

namespace assay::cli {

void add_diagnose(CLI::App& app, Action& chosen) {
    struct Values {
        SweepOptions options;
        std::filesystem::path output = "assay-report";
        std::string json;
    };
    const auto values = std::make_shared<Values>();
    CLI::App& verb = *app.add_subcommand(
        "diagnose", "which linears the treatment breaks: everything measured, results.json and report.html");
    verb.footer("Example: assay diagnose MODEL --treatment int4-g64 -o report/");
    add_model_options(verb, values->options.model);
    add_text_options(verb, values->options.text);
    add_treatment_option(verb, values->options.treatments.front());
    add_linears_option(verb, values->options.linears);
    add_sensitivity_options(verb, values->options);
    verb.add_option("--findings", values->options.findings,
                    "linears whose damage is explained by further swaps, the worst of those measured")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    add_calibration_options(verb, values->options.calibration);
    add_output_folder_option(verb, values->output);
    add_json_option(verb, values->json);
    verb.callback([&chosen, values] {
        chosen = [values](const Context& context) {
            const Envelope envelope = diagnose(values->options, context.progress, context.cancel);
            std::filesystem::create_directories(values->output);
            write_file(values->output / "results.json", results_text(envelope));
            write_file(values->output / "report.html", html_report(envelope));
            show(envelope, values->json);
            context.progress.note("wrote " + (values->output / "results.json").string() + " and report.html");
        };
    });
}

}  // namespace assay::cli
