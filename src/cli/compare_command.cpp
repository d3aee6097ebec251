// The verb compare, with what is compared as a verb of its own.
#include <memory>

#include "cli/command.h"
#include "workflow/workflow.h"

namespace assay::cli {

void add_compare(CLI::App& app, Action& chosen) {
    struct Values {
        CompareOptions options;
        std::string json;
    };
    const auto values = std::make_shared<Values>();
    CLI::App& verb = *app.add_subcommand("compare", "the whole model treated in several ways, side by side");
    verb.require_subcommand(1);
    CLI::App& formats = *verb.add_subcommand(
        "formats",
        "perplexity, KL, output errors and sizes of number formats, all linears of the blocks treated");
    formats.footer(
        "Examples:\n  assay compare formats MODEL --max-windows 4\n  assay compare formats MODEL --treatment "
        "int4-g64 "
        "--treatment nvfp4 --treatment fp8-e4m3 --json formats.json\nWithout --treatment: groups of 32, 64, "
        "128, 256 "
        "and whole rows x symmetric or not x 3, 4, 8 bits, and int3-g64 and int4-g64 with clipped ranges.");
    add_model_options(formats, values->options.model);
    add_text_options(formats, values->options.text);
    formats.add_option("--treatment", values->options.treatments, "compare these; may be repeated")
        ->allow_extra_args(false);
    add_linears_option(formats, values->options.linears);
    formats.add_option("--seed", values->options.seed, "of the intervals' bootstrap")->capture_default_str();
    add_json_option(formats, values->json);
    formats.callback([&chosen, values] {
        chosen = [values](const Context& context) {
            show(compare_formats(values->options, context.progress, context.cancel), values->json);
        };
    });
}

}  // namespace assay::cli
