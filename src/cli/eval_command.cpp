// The verb eval.
#include <memory>

#include "cli/command.h"
#include "workflow/workflow.h"

namespace assay::cli {

void add_eval(CLI::App& app, Action& chosen) {
    struct Values {
        EvalOptions options;
        std::string json;
    };
    const auto values = std::make_shared<Values>();
    EvalOptions& options = values->options;
    CLI::App& verb = *app.add_subcommand(
        "eval", "accuracy on multiple-choice questions; beside a reference also which answers change");
    verb.footer(
        "Examples:\n  assay eval MODEL --task mmlu --task-data mmlu/ --subjects 'anatomy|astronomy' "
        "--max-questions "
        "100\n  assay eval MODEL --task hellaswag.jsonl --max-questions 200 --treatment int4-g64\n  assay "
        "eval "
        "QUANTIZED.gguf --against MODEL --task continuation --text book.txt");
    add_model_options(verb, options.model);
    verb.add_option(
            "--task", options.task,
            "mmlu; continuation, the true next sentence of a text among three others; or a file of JSON "
            "lines laid out as HellaSwag, ARC, PIQA or WinoGrande, or with context, choices and answer")
        ->required();
    verb.add_option("--task-data", options.task_data,
                    "of mmlu: folder with dev/SUBJECT_dev.csv and test/SUBJECT_test.csv");
    verb.add_option("--shots", options.shots, "of mmlu: solved examples before each question; without it 5")
        ->check(CLI::Range(0, 1000));
    verb.add_option("--subjects", options.subjects,
                    "of mmlu: only subjects whose name contains a match of this regular expression");
    verb.add_option("--max-questions", options.max_questions,
                    "at most so many, spread evenly over the subjects; 0: all. Without it all, and 400 of "
                    "continuation")
        ->check(CLI::Range(0, 1 << 30));
    verb.add_option(
            "--metric", options.metric,
            "how a choice is picked: acc, the largest log-likelihood; acc_norm, the largest per character; "
            "without it as the task usually is")
        ->check(CLI::IsMember({"acc", "acc_norm"}));
    verb.add_option("--text", options.text,
                    "of continuation: a UTF-8 text file; without it the built-in WikiText-2 test text");
    verb.add_option("--seed", options.seed, "of continuation's questions")->capture_default_str();
    verb.add_option("--against", options.against, "the reference model to compare with");
    verb.add_option("--treatment", options.treatment,
                    "treat all linears of the blocks and compare with the model itself");
    add_json_option(verb, values->json);
    verb.callback([&chosen, values] {
        chosen = [values](const Context& context) {
            show(measure_task(values->options, context.progress, context.cancel), values->json);
        };
    });
}

}  // namespace assay::cli
