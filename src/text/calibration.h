// Calibration windows: random runs of tokens out of documents.
#pragma once

#include <cstdint>
#include <vector>

#include "text/documents.h"
#include "text/tokenizer.h"

namespace assay {

// Which documents windows are taken from. About a fifth of the texts, chosen by their hashes, whatever set
// they stand in, are kept apart to measure on where asked for.
enum class Documents { kAll, kLearned, kHeldOut };

struct SamplingOptions {
    std::int64_t samples = 128;
    std::int64_t length = 2048;  // tokens of each window, with its BOS
    std::uint64_t seed = 0;
    Documents documents = Documents::kAll;
};

struct SampledWindows {
    std::vector<std::vector<std::int32_t>> windows;  // all of the length asked for; no token is in two
    bool bos = false;                                // each begins with BOS
    std::int64_t documents_read = 0;                 // or pieces of them
    std::int64_t repeated_documents = 0;             // left out: the same text as one before
    std::int64_t joined_windows = 0;                 // that hold parts of several documents
};

// Bytes of text that give a few windows of `length` tokens: what long files are cut into.
std::size_t sampling_piece_bytes(std::int64_t length);

// Reads documents in random order until there are as many windows as asked for, or no documents left. A
// document that is long enough gives windows side by side from a random place on, chosen at random, in equal
// shares: at most ceil(samples / documents) each, more where that leaves too few. What it leaves and short
// documents are joined end to end. Windows begin with BOS where the tokenizer puts one before texts. The
// same seed gives the same windows.
// Throws: InvalidArgument for sizes out of range, FormatError where not even one window comes out, else as
// DocumentSet::read() and Tokenizer::encode().
SampledWindows sample_windows(const DocumentSet& documents, const Tokenizer& tokenizer,
                              const SamplingOptions& options);

}  // namespace assay
