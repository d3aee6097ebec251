// Models that were downloaded from the Hugging Face hub, found in its local cache.
// Source: https://huggingface.co/docs/hub/local-cache.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace assay {

// "ORGANISATION/NAME" or "ORGANISATION/NAME@REVISION".
struct HubName {
    std::string repository;         // "Qwen/Qwen3-0.6B"
    std::string revision = "main";  // a branch, a tag or a commit

    // The command that downloads it.
    std::string download_command() const;
};

// Reads such a name; nothing for a text that cannot be one: more or fewer parts than two, other characters
// than letters, digits, "-", "_" and ".", or the ending .gguf of a file.
std::optional<HubName> parse_hub_name(std::string_view text);

// $HF_HUB_CACHE, else $HF_HOME/hub, else $XDG_CACHE_HOME/huggingface/hub, else ~/.cache/huggingface/hub.
std::filesystem::path hub_cache_folder();

// The folder in the cache with the model's files (links to them, in fact): config.json and all tensor files.
// Throws FormatError where it is not there or lacks any of them, with the command that downloads it.
std::filesystem::path find_hub_snapshot(const HubName& name, const std::filesystem::path& cache);

}  // namespace assay
