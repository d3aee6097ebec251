// The exception types of Assay; each says who can mend the fault.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace assay {

// Base of all errors that Assay throws. The text names the file, the item, what was expected and what to do.
class Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// Outside bytes (a file, a JSON text) are not what their format says, or a file is not there. The only
// exception a parser may throw.
class FormatError : public Error {
  public:
    static constexpr std::uint64_t kNoOffset = ~std::uint64_t{0};

    explicit FormatError(const std::string& what, std::uint64_t offset = kNoOffset)
        : Error(offset == kNoOffset ? what : what + " (at byte " + std::to_string(offset) + ")"),
          offset_(offset) {}

    std::uint64_t offset() const { return offset_; }

  private:
    std::uint64_t offset_;
};

// A caller asked for something that cannot be: wrong shape, unknown name, unsupported combination.
class InvalidArgument : public Error {
  public:
    using Error::Error;
};

// A model or file is well formed, but of a kind that Assay does not support; the text lists what is
// supported.
class Unsupported : public FormatError {
  public:
    using FormatError::FormatError;
};

// NaN or Inf where finite numbers are needed.
class NumericError : public Error {
  public:
    using Error::Error;
};

// The user asked to stop; finished work is kept.
class Interrupted : public Error {
  public:
    Interrupted() : Error("interrupted") {}
};

}  // namespace assay
