// Multiple-choice questions from JSON lines, in the layouts of published data sets.
#pragma once

#include <string_view>

#include "text/task.h"

namespace assay {

// One JSON object a line; empty lines are skipped. The first line's members tell the layout of all; its
// prompt is that of lm-evaluation-harness 0.4 (tasks/hellaswag, arc, piqa, winogrande):
//   hellaswag   activity_label ctx_a ctx_b endings label     Zellers et al. 2019; acc_norm
//   arc         question choices{text label} answerKey       Clark et al. 2018; acc_norm. Also AI2's own
//   files, where
//               question{stem choices[{text label}]}         question holds all
//   piqa        goal sol1 sol2 label                         Bisk et al. 2020; acc_norm
//   winogrande  sentence option1 option2 answer              Sakaguchi et al. 2020; acc. Scored is what
//   follows the gap choices     context choices[] answer                     any other: a space and a choice
//   follow the context; acc
// label and answer count from 0 (winogrande's from 1), as numbers or digits. A question's id is its member
// id, ind or qID, else "line N". `what` names the text in errors. Throws FormatError, with the line, for what
// fits no layout, an answer that is none of the choices, and less than kMinChoices or more than kMaxChoices
// of them.
Task parse_choice_lines(std::string_view text, std::string_view what);

}  // namespace assay
