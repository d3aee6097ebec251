#include "model/hub_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <system_error>

#include "base/error.h"
#include "base/mapped_file.h"
#include "container/json.h"

namespace assay {
namespace {

constexpr std::size_t kMaxReferenceBytes = 1024;
constexpr const char* kIndexName = "model.safetensors.index.json";

bool is_word(std::string_view text) {
    constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return !text.empty() && text.find_first_not_of(kLetters) == text.npos && text.front() != '.' &&
           text.front() != '-';
}

// Revisions may contain slashes ("refs/pr/1"), but lead nowhere else.
bool is_revision(std::string_view text) {
    while (true) {
        const std::size_t slash = text.find('/');
        if (!is_word(text.substr(0, slash))) return false;
        if (slash == text.npos) return true;
        text.remove_prefix(slash + 1);
    }
}

// The value of an environment variable, where it is set and not empty.
std::optional<std::filesystem::path> environment(const char* name) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
}

bool is_file(const std::filesystem::path& path) {  // links are followed
    std::error_code ignored;
    return std::filesystem::is_regular_file(path, ignored);
}

bool is_folder(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::is_directory(path, ignored);
}

// The commit that a branch or tag stands for; a commit is its own.
std::string commit_of(const std::filesystem::path& repository, const std::string& revision) {
    const auto reference = repository / "refs" / revision;
    if (!is_file(reference)) return revision;
    std::string commit = read_file(reference, kMaxReferenceBytes);
    commit.erase(commit.find_last_not_of(" \t\r\n") + 1);
    if (!is_word(commit)) throw FormatError(reference.string() + ": expected the name of a commit");
    return commit;
}

// The first file that a model needs and that is not in the folder, or nothing.
std::optional<std::string> missing_file(const std::filesystem::path& folder) {
    if (!is_file(folder / "config.json")) return "config.json";
    if (is_file(folder / "model.safetensors")) return std::nullopt;
    if (!is_file(folder / kIndexName)) return "model.safetensors";
    const auto what = (folder / kIndexName).string();
    const Json index = parse_json(read_file(folder / kIndexName), what);
    std::set<std::string> shards;
    for (const auto& item : require_object(index, "weight_map", what).items())
        shards.insert(as_string(item.value(), json_path(what, item.key())));
    const auto absent = std::find_if(shards.begin(), shards.end(),
                                     [&](const std::string& shard) { return !is_file(folder / shard); });
    return absent == shards.end() ? std::nullopt : std::optional(*absent);
}

}  // namespace

std::string HubName::download_command() const {
    return "hf download " + repository + (revision == "main" ? "" : " --revision " + revision);
}

std::optional<HubName> parse_hub_name(std::string_view text) {
    const std::size_t at = text.find('@');
    const std::string_view repository = text.substr(0, at);
    const std::size_t slash = repository.find('/');
    if (slash == repository.npos || repository.ends_with(".gguf") || !is_word(repository.substr(0, slash)) ||
        !is_word(repository.substr(slash + 1)))
        return std::nullopt;
    HubName name{std::string(repository)};
    if (at != text.npos) {
        if (!is_revision(text.substr(at + 1))) return std::nullopt;
        name.revision = text.substr(at + 1);
    }
    return name;
}

std::filesystem::path hub_cache_folder() {
    if (const auto cache = environment("HF_HUB_CACHE")) return *cache;
    if (const auto home = environment("HF_HOME")) return *home / "hub";
    if (const auto xdg = environment("XDG_CACHE_HOME")) return *xdg / "huggingface" / "hub";
    return environment("HOME").value_or("/") / ".cache" / "huggingface" / "hub";
}

std::filesystem::path find_hub_snapshot(const HubName& name, const std::filesystem::path& cache) {
    std::string folder_name = "models--" + name.repository;
    folder_name.replace(folder_name.find('/'), 1, "--");
    const auto repository = cache / folder_name;
    const auto snapshot = repository / "snapshots" / commit_of(repository, name.revision);
    if (!is_folder(snapshot)) {
        throw FormatError(fmt::format(
            "{}: no such file or folder, and revision {} of the hub's model {} is not in the cache {}; "
            "to download it: {}",
            name.repository, name.revision, name.repository, cache.string(), name.download_command()));
    }
    if (const auto missing = missing_file(snapshot)) {
        throw FormatError(
            fmt::format("{}: {} is not there; the download of {} is incomplete, or it is no "
                        "model in safetensors files; to complete it: {}",
                        snapshot.string(), *missing, name.repository, name.download_command()));
    }
    return snapshot;
}

}  // namespace assay
