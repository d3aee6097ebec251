// A matrix that lives in a backend's own memory. Only that backend reads or writes it.
#pragma once

#include <cstdint>
#include <memory>

namespace assay::compute {

// A backend's memory; each backend derives its own.
class Buffer {
  public:
    virtual ~Buffer() = default;
};

// Owns `rows x cols` numbers, contiguous, row-major, in the backend's precision. Movable; copy through
// Backend::copy_rows.
class Tensor {
  public:
    Tensor() = default;
    Tensor(std::int64_t rows, std::int64_t cols, std::unique_ptr<Buffer> buffer)
        : rows_(rows), cols_(cols), buffer_(std::move(buffer)) {}

    std::int64_t rows() const { return rows_; }
    std::int64_t cols() const { return cols_; }
    bool empty() const { return buffer_ == nullptr; }
    Buffer& buffer() { return *buffer_; }
    const Buffer& buffer() const { return *buffer_; }

  private:
    std::int64_t rows_ = 0, cols_ = 0;
    std::unique_ptr<Buffer> buffer_;
};

// A linear operation's operand, converted and packed for one backend. Shape [out, in].
class PackedLinear {
  public:
    virtual ~PackedLinear() = default;
    virtual std::int64_t out_features() const = 0;
    virtual std::int64_t in_features() const = 0;
};

// The output layer's operand, packed so that logits can be formed a slice of the vocabulary at a time.
class PackedHead {
  public:
    virtual ~PackedHead() = default;
    virtual std::int64_t vocabulary() const = 0;
    virtual std::int64_t in_features() const = 0;
};

// A change of a linear's weight, laid out for one backend's dot products with gradients. Shape [out, in].
class PackedChange {
  public:
    virtual ~PackedChange() = default;
    virtual std::int64_t out_features() const = 0;
    virtual std::int64_t in_features() const = 0;
};

}  // namespace assay::compute
