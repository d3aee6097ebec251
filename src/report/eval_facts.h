// A task's result as rows of text, for the terminal's tables and the page's. Private to report.
#pragma once

#include <string>
#include <vector>

#include "records/eval.h"
#include "report/blame_facts.h"
#include "report/comparison_facts.h"

namespace assay {

// "mmlu, 5-shot, acc: 1,000 questions in 20 subjects"
std::string eval_title(const EvalResult& result);

std::vector<Fact> eval_facts(const EvalResult& result);

// No rows where the task has one subject only.
TextRows subject_rows(const EvalResult& result);

// Of the first `most` questions that one of the runs answers right and the other wrong; none without a
// reference.
TextRows flip_rows(const EvalResult& result, std::size_t most);

}  // namespace assay
