// The questions that options ask for, read from their files.
#pragma once

#include <filesystem>
#include <vector>

#include "text/task.h"
#include "workflow/options.h"

namespace assay {

struct LoadedTask {
    Task task;
    TaskMetric metric = TaskMetric::kAcc;
    std::int64_t shots = 0;
    std::vector<std::filesystem::path> files;  // that were read
};

// Throws InvalidArgument for options that do not go together, FormatError for files that are not what they
// should be.
LoadedTask load_task(const EvalOptions& options);

}  // namespace assay
