// The verb sensitivity.
#include <memory>

#include "cli/command.h"
#include "workflow/workflow.h"

namespace assay::cli {

void add_sensitivity(CLI::App& app, Action& chosen) {
    struct Values {
        SweepOptions options;
        std::string json;
    };
    const auto values = std::make_shared<Values>();
    CLI::App& verb = *app.add_subcommand("sensitivity", "the damage of treating each linear alone, ranked");
    verb.footer(
        "Examples:\n  assay sensitivity MODEL --treatment int4-g64 --treatment int8-channel\n  assay "
        "sensitivity "
        "MODEL --method exact --linears 'layers\\.0\\.|down_proj' --json sweep.json\n  assay sensitivity "
        "MODEL "
        "--metric task:continuation --top 8");
    add_model_options(verb, values->options.model);
    add_text_options(verb, values->options.text);
    add_treatments_option(verb, values->options.treatments);
    add_linears_option(verb, values->options.linears);
    add_sensitivity_options(verb, values->options);
    verb.add_option(
            "--extend-to", values->options.extend_to,
            "hybrid: measure swaps on up to so many windows, --max-windows at a time, while the order of "
            "two neighbours is open: the paired 95 % interval of their difference holds 0 and is wider than "
            "± 10 % of the larger damage")
        ->check(CLI::PositiveNumber);
    SweepOptions& options = values->options;
    verb.add_option("--metric", options.metric,
                    "kl: swaps are measured by their damage; task:TASK: by a task's accuracy, TASK as of "
                    "`assay eval`: "
                    "mmlu, continuation, or a file of questions")
        ->capture_default_str();
    verb.add_option("--task-data", options.task_data, "of task:mmlu: folder with dev/ and test/");
    verb.add_option("--shots", options.shots,
                    "of task:mmlu: solved examples before each question; without it 5")
        ->check(CLI::Range(0, 1000));
    verb.add_option("--subjects", options.subjects, "of task:mmlu: only subjects that match");
    verb.add_option("--max-questions", options.max_questions, "of a task: at most so many; 0: all")
        ->check(CLI::Range(0, 1 << 30));
    add_calibration_options(verb, options.calibration);
    add_json_option(verb, values->json);
    verb.callback([&chosen, values] {
        chosen = [values](const Context& context) {
            show(measure_sensitivity(values->options, context.progress, context.cancel), values->json);
        };
    });
}

}  // namespace assay::cli
