#include "text/choice_lines.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "container/json.h"
#include "text/unicode.h"

namespace assay {
namespace {

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
    std::string out;
    for (auto at = text.find(from); at != text.npos; at = text.find(from)) {
        out.append(text.substr(0, at)).append(to);
        text.remove_prefix(at + from.size());
    }
    return out.append(text);
}

// Less all [parts] that lie in one line.
std::string without_brackets(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto open = text.find('[');
        const auto close = open == text.npos ? text.npos : text.find_first_of("]\n", open);
        const bool found = close != text.npos && text[close] == ']';
        out.append(text.substr(0, found ? open : close));
        text.remove_prefix(close == text.npos ? text.size() : close + (found ? 1 : 0));
        if (found || text.empty()) continue;
        out.push_back('\n');
        text.remove_prefix(1);
    }
    return out;
}

// A number or digits, counted from `first`.
std::size_t index_member(const Json& line, const char* key, std::int64_t first, const std::string& where) {
    const Json& value = require_member(line, key, where);
    const IntRange range{first, first + static_cast<std::int64_t>(kMaxChoices) - 1};
    const std::string path = json_path(where, key);
    if (!value.is_string()) return static_cast<std::size_t>(as_int(value, path, range) - first);
    const std::string digits = value.get<std::string>();
    const bool number =
        !digits.empty() && digits.size() <= 2 &&
        std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!number) throw FormatError(fmt::format("{} is not the number of a choice", path));
    return static_cast<std::size_t>(as_int(std::stoi(digits), path, range) - first);
}

void add_choice(const Json& text, const std::string& where, TaskQuestion& question) {
    question.choices.push_back({.continuation = " " + as_string(text, where)});
}

// As the harness cleans what was crawled from wikiHow.
std::string hellaswag_text(std::string_view raw) {
    return replaced(without_brackets(replaced(stripped(raw), " [title]", ". ")), "  ", " ");
}

TaskQuestion read_hellaswag(const Json& line, const std::string& where) {
    TaskQuestion question;
    question.context = hellaswag_text(fmt::format("{}: {} {}", require_string(line, "activity_label", where),
                                                  require_string(line, "ctx_a", where),
                                                  capitalized(require_string(line, "ctx_b", where))));
    for (const Json& ending : require_array(line, "endings", where))
        add_choice(hellaswag_text(as_string(ending, json_path(where, "endings"))), where, question);
    question.answer = index_member(line, "label", 0, where);
    return question;
}

// The choice whose label is the line's answerKey.
void add_labelled(const Json& text, const Json& label, const Json& line, const std::string& where,
                  TaskQuestion& question) {
    if (as_string(label, json_path(where, "label")) == require_string(line, "answerKey", where))
        question.answer = question.choices.size();
    add_choice(text, json_path(where, "text"), question);
}

TaskQuestion read_arc(const Json& line, const std::string& where) {
    const Json& asked = require_member(line, "question", where);
    const std::string inside = json_path(where, "choices");
    TaskQuestion question;
    question.answer = kMaxChoices;  // until a label fits
    if (asked.is_object()) {
        question.context = require_string(asked, "stem", json_path(where, "question"));
        for (const Json& choice : require_array(asked, "choices", json_path(where, "question")))
            add_labelled(require_member(choice, "text", inside), require_member(choice, "label", inside),
                         line, inside, question);
    } else {
        question.context = as_string(asked, json_path(where, "question"));
        const Json& choices = require_object(line, "choices", where);
        const Json &texts = require_array(choices, "text", inside),
                   &labels = require_array(choices, "label", inside);
        if (texts.size() != labels.size())
            throw FormatError(
                fmt::format("{} has {} texts and {} labels", inside, texts.size(), labels.size()));
        for (std::size_t c = 0; c < texts.size(); ++c)
            add_labelled(texts[c], labels[c], line, inside, question);
    }
    question.context = fmt::format("Question: {}\nAnswer:", question.context);
    return question;
}

TaskQuestion read_piqa(const Json& line, const std::string& where) {
    TaskQuestion question;
    question.context = fmt::format("Question: {}\nAnswer:", require_string(line, "goal", where));
    for (const char* key : {"sol1", "sol2"})
        add_choice(require_member(line, key, where), json_path(where, key), question);
    question.answer = index_member(line, "label", 0, where);
    return question;
}

TaskQuestion read_winogrande(const Json& line, const std::string& where) {
    const std::string sentence = require_string(line, "sentence", where);
    const std::size_t gap = sentence.find('_');
    if (gap == sentence.npos)
        throw FormatError(fmt::format("{} has no gap, written _", json_path(where, "sentence")));
    TaskQuestion question;
    const std::string rest = " " + std::string(stripped(std::string_view(sentence).substr(gap + 1)));
    for (const char* key : {"option1", "option2"})
        question.choices.push_back({sentence.substr(0, gap) + require_string(line, key, where), rest});
    question.answer = index_member(line, "answer", 1, where);
    return question;
}

TaskQuestion read_choices(const Json& line, const std::string& where) {
    TaskQuestion question;
    question.context = require_string(line, "context", where);
    for (const Json& choice : require_array(line, "choices", where))
        add_choice(choice, json_path(where, "choices"), question);
    question.answer = index_member(line, "answer", 0, where);
    return question;
}

struct Layout {
    const char* name;
    const char* member;  // that no earlier layout has
    TaskMetric metric;
    TaskQuestion (*read)(const Json& line, const std::string& where);
};

constexpr Layout kLayouts[] = {{"hellaswag", "endings", TaskMetric::kAccNorm, read_hellaswag},
                               {"arc", "answerKey", TaskMetric::kAccNorm, read_arc},
                               {"piqa", "sol1", TaskMetric::kAccNorm, read_piqa},
                               {"winogrande", "option1", TaskMetric::kAcc, read_winogrande},
                               {"choices", "choices", TaskMetric::kAcc, read_choices}};

const Layout& layout_of(const Json& line, const std::string& where) {
    for (const Layout& layout : kLayouts) {
        if (line.is_object() && line.contains(layout.member)) return layout;
    }
    throw FormatError(
        fmt::format("{} is not a question: expected an object with context, choices and answer, or the "
                    "members of HellaSwag, "
                    "ARC, PIQA or WinoGrande",
                    where));
}

// "7" or 7 where the line numbers its questions.
std::string id_of(const Json& line, std::size_t number) {
    for (const char* key : {"id", "ind", "qID"}) {
        const auto member = line.find(key);
        if (member == line.end()) continue;
        if (member->is_string() && !member->get_ref<const std::string&>().empty())
            return member->get<std::string>();
        if (member->is_number_integer()) return member->dump();
    }
    return fmt::format("line {}", number);
}

void check(const TaskQuestion& question, const std::string& where) {
    const std::size_t count = question.choices.size();
    if (count < kMinChoices || count > kMaxChoices)
        throw FormatError(
            fmt::format("{} has {} choices; {} to {} are possible", where, count, kMinChoices, kMaxChoices));
    if (question.answer >= count)
        throw FormatError(fmt::format("{}: the answer is none of its {} choices", where, count));
    for (const TaskChoice& choice : question.choices) {
        if (stripped(choice.continuation).empty())
            throw FormatError(fmt::format("{} has a choice without text", where));
    }
}

}  // namespace

Task parse_choice_lines(std::string_view text, std::string_view what) {
    Task task{.subjects = {{}}};
    const Layout* layout = nullptr;
    std::size_t number = 0;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        const std::string where = fmt::format("{}: line {}", what, ++number);
        if (line.find_first_not_of(" \t\r") == line.npos) continue;
        const Json json = parse_json(line, where);
        if (layout == nullptr) layout = &layout_of(json, where);
        TaskQuestion question = layout->read(json, where);
        check(question, where);
        question.id = id_of(json, number);
        task.questions.push_back(std::move(question));
    }
    if (layout == nullptr) throw FormatError(fmt::format("{} holds no question", what));
    task.name = layout->name;
    task.metric = layout->metric;
    return task;
}

}  // namespace assay
