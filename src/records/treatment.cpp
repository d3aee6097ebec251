// Reading and printing treatments.
#include "records/treatment.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/error.h"

namespace assay {
namespace {

constexpr std::array<MethodOption, 5> kAwqOptions{{
    {.name = "clip", .usual = 1},
    {.name = "damp", .flag = false, .usual = 0.01},
    {.name = "fold", .usual = 1},
    {.name = "grow"},
    {.name = "true-sequential"},
}};

constexpr std::array<MethodOption, 1> kClipOptions{{{.name = "inputs"}}};

constexpr std::string_view kSearchDamp = "search-damp", kGradientWeights = "gradient-weights";

constexpr std::array<MethodOption, 10> kGptqOptions{{
    {.name = "act-order"},
    {.name = "awq"},
    {.name = "clip"},
    {.name = "damp", .flag = false, .usual = 0.01},
    {.name = "fold", .usual = 1},
    {.name = kGradientWeights},
    {.name = "grow"},
    {.name = kSearchDamp},
    {.name = "static-groups", .follows = "act-order"},
    {.name = "true-sequential"},
}};

constexpr std::string_view kSmooth = "smooth";

constexpr std::array<MethodOption, 4> kSmoothOptions{{
    {.name = "alpha", .flag = false, .usual = 0.5},
    {.name = "one-alpha"},
    {.name = "scored"},
    {.name = "search"},
}};

constexpr std::array<MethodOption, 8> kYaqaOptions{{
    {.name = "act-order"},
    {.name = "awq"},
    {.name = "clip"},
    {.name = "damp", .flag = false, .usual = 0.01},
    {.name = "fold", .usual = 1},
    {.name = "grow"},
    {.name = "output-damp", .flag = false, .usual = 1, .most = 100},
    {.name = "true-sequential"},
}};

constexpr std::array<Method, 6> kMethods{{
    {.name = "rtn", .takes_activations = true},
    {.name = "clip", .options = kClipOptions},
    {.name = "awq", .calibrated = true, .options = kAwqOptions},
    {.name = "gptq", .calibrated = true, .options = kGptqOptions},
    {.name = kSmooth,
     .calibrated = true,
     .options = kSmoothOptions,
     .takes_activations = true,
     .needs_activations = true},
    {.name = "yaqa", .calibrated = true, .gradients = true, .options = kYaqaOptions},
}};

template <class Rows>
std::string names_of(const Rows& rows) {
    std::string list;
    for (const auto& row : rows) list += (list.empty() ? "" : ", ") + std::string(row.name);
    return list;
}

template <class Rows>
auto find_row(const Rows& rows, std::string_view name) {
    return std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return row.name == name; });
}

const Method* find_method(std::string_view name) {
    const auto found = find_row(kMethods, name);
    return found == kMethods.end() ? nullptr : &*found;
}

std::optional<double> read_number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

bool has_option(const Method& method, std::string_view name) {
    return find_row(method.options, name) != method.options.end();
}

double usual_value(const Treatment& treatment, const MethodOption& row) {
    return row.follows.empty() ? row.usual : option(treatment, row.follows);
}

// The first ':' that stands outside parentheses, or npos.
std::size_t method_separator(std::string_view text) {
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '(') ++depth;
        if (text[i] == ')') --depth;
        if (text[i] == ':' && depth == 0) return i;
    }
    return std::string_view::npos;
}

// Throws InvalidArgument where method, options and activations do not go together.
void check_parts(const Treatment& treatment, std::string_view text) {
    const Method& method = method_of(treatment);
    const auto reject = [&](std::string_view why) {
        throw InvalidArgument(fmt::format("treatment \"{}\": {} {}", text, method.name, why));
    };
    if (treatment.activations && !method.takes_activations)
        reject("chooses codes of weights alone; beside quantized activations stand rtn and smooth");
    if (method.needs_activations && !treatment.activations)
        reject("is about quantized activations: name their format, as in int8-sym-channel+a8-token:smooth");
    if (has_option(method, kSearchDamp) && treatment.options.contains(kSearchDamp) &&
        treatment.options.contains("damp"))
        reject("takes damp or search-damp, not both");
    if (method.name != kSmooth) return;
    const bool searched = treatment.options.contains("search");
    if (searched && treatment.options.contains("alpha")) reject("takes alpha or search, not both");
    const bool one = treatment.options.contains("one-alpha"), scored = treatment.options.contains("scored");
    if (!searched && (one || scored)) reject("takes one-alpha and scored beside search only");
    if (one && scored) reject("takes one-alpha or scored, not both");
}

// Reads METHOD[(option,…)] of a treatment.
class MethodText {
  public:
    MethodText(std::string_view whole, Treatment& treatment) : whole_(whole), treatment_(treatment) {}

    void read(std::string_view text) {
        const std::string_view name = text.substr(0, text.find('('));
        method_ = find_method(name);
        if (method_ == nullptr)
            reject(fmt::format("unknown method \"{}\"; known are {}", name, names_of(kMethods)));
        treatment_.method = name;
        if (name.size() == text.size()) return;
        if (method_->options.empty()) reject(fmt::format("method {} takes no options", name));
        if (text.back() != ')')
            reject(fmt::format("')' is expected at the end, after the options of {}", name));
        std::string_view rest = text.substr(name.size() + 1);
        rest.remove_suffix(1);
        for (std::size_t comma = 0; comma != std::string_view::npos;) {
            comma = rest.find(',');
            read_option(rest.substr(0, comma));
            rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
        }
        drop_usual();
    }

  private:
    void read_option(std::string_view text) {
        const std::size_t equals = text.find('=');
        const std::string_view name = text.substr(0, equals);
        const auto row = find_row(method_->options, name);
        if (row == method_->options.end()) {
            reject(fmt::format("method {} has no option \"{}\"; it has {}", method_->name, name,
                               names_of(method_->options)));
        }
        const std::string_view value = equals == std::string_view::npos ? "" : text.substr(equals + 1);
        const double number =
            row->flag ? flag_value(*row, equals == std::string_view::npos, value) : number_value(*row, value);
        if (!treatment_.options.emplace(name, number).second)
            reject(fmt::format("option {} is given twice", name));
    }

    double flag_value(const MethodOption& row, bool alone, std::string_view value) const {
        if (alone || value == "yes") return 1;
        if (value != "no") reject(fmt::format("option {} is {}=yes or {}=no", row.name, row.name, row.name));
        return 0;
    }

    double number_value(const MethodOption& row, std::string_view value) const {
        const auto number = read_number(value);
        if (!number || !(*number >= row.least && *number <= row.most)) {
            reject(fmt::format("option {} is a number from {:g} to {:g}, such as {}={:g}", row.name,
                               row.least, row.most, row.name, row.usual));
        }
        return *number;
    }

    // After all are read: what is usual may follow from another one.
    void drop_usual() {
        Treatment kept = treatment_;
        for (const MethodOption& row : method_->options) {
            const auto given = treatment_.options.find(row.name);
            if (given != treatment_.options.end() && given->second == usual_value(treatment_, row))
                kept.options.erase(std::string(row.name));
        }
        treatment_ = std::move(kept);
    }

    [[noreturn]] void reject(const std::string& why) const {
        throw InvalidArgument(fmt::format("treatment \"{}\": {}", whole_, why));
    }

    std::string_view whole_;
    Treatment& treatment_;
    const Method* method_ = nullptr;
};

}  // namespace

std::span<const Method> methods() {
    return kMethods;
}

const Method& method_of(const Treatment& treatment) {
    if (const Method* method = find_method(treatment.method)) return *method;
    throw InvalidArgument(
        fmt::format("unknown method \"{}\"; known are {}", treatment.method, names_of(kMethods)));
}

bool looks_at_inputs(const Treatment& treatment) {
    return method_of(treatment).calibrated || is_set(treatment, "inputs");
}

bool is_calibrated(const Treatment& treatment) {
    return looks_at_inputs(treatment) || (treatment.activations && !treatment.activations->per_token);
}

bool uses_gradients(const Treatment& treatment) {
    return method_of(treatment).gradients || is_set(treatment, kGradientWeights);
}

bool is_set(const Treatment& treatment, std::string_view flag) {
    return has_option(method_of(treatment), flag) && option(treatment, flag) != 0;
}

double option(const Treatment& treatment, std::string_view name) {
    const Method& method = method_of(treatment);
    const auto row = find_row(method.options, name);
    if (row == method.options.end())
        throw InvalidArgument(fmt::format("method {} has no option \"{}\"", method.name, name));
    const auto given = treatment.options.find(name);
    return given != treatment.options.end() ? given->second : usual_value(treatment, *row);
}

Treatment parse_treatment(std::string_view text) {
    const std::size_t separator = method_separator(text);
    const std::string_view formats = text.substr(0, separator);
    const std::size_t plus = formats.find('+');
    Treatment treatment{.format = parse_number_format(formats.substr(0, plus))};
    if (plus != std::string_view::npos) {
        treatment.activations = parse_activation_format(formats.substr(plus + 1));
        check_activations(treatment.format, *treatment.activations);
    }
    if (separator != std::string_view::npos) MethodText(text, treatment).read(text.substr(separator + 1));
    check_parts(treatment, text);
    return treatment;
}

std::string to_string(const Treatment& treatment) {
    std::string options;
    for (const MethodOption& row : method_of(treatment).options) {
        const double value = option(treatment, row.name);
        if (value == usual_value(treatment, row)) continue;
        options += options.empty() ? "" : ",";
        options += row.flag ? std::string(row.name) + (value != 0 ? "" : "=no")
                            : fmt::format("{}={}", row.name, value);
    }
    const std::string activations = treatment.activations ? "+" + to_string(*treatment.activations) : "";
    return to_string(treatment.format) + activations + ":" + treatment.method +
           (options.empty() ? "" : "(" + options + ")");
}

}  // namespace assay
