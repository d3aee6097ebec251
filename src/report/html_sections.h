// Parts that all pages are made of.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/blame_facts.h"

namespace assay {

// A number with its name above and what to know of it below.
std::string tile(std::string_view name, const std::string& value, const std::string& more);

// A table under a title and a note; empty without rows.
std::string rows_section(const std::string& title, const std::string& note, const TextRows& table);

// Sentences as a list under a title; empty without any.
std::string sentences_section(const std::string& title, const std::vector<std::string>& sentences);

}  // namespace assay
