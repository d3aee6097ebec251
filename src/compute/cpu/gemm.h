// Matrix products on packed f32 weights. The only face of oneDNN: every call of it is in gemm.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tensor/matrix.h"

namespace assay::compute {

// An operand w [out, in] in oneDNN's packed layout (plain where packing gains nothing).
class PackedMatrix {
  public:
    struct Storage;
    PackedMatrix(std::unique_ptr<Storage> storage, std::int64_t out, std::int64_t in);
    ~PackedMatrix();
    PackedMatrix(PackedMatrix&&) noexcept;
    PackedMatrix& operator=(PackedMatrix&&) noexcept;

    std::int64_t out() const { return out_; }
    std::int64_t in() const { return in_; }
    const Storage& storage() const { return *storage_; }

  private:
    std::unique_ptr<Storage> storage_;
    std::int64_t out_, in_;
};

// All calls may run at once on several threads; each runs on its own thread alone.
class Gemm {
  public:
    Gemm();
    ~Gemm();
    Gemm(const Gemm&) = delete;
    Gemm& operator=(const Gemm&) = delete;

    // Throws Error where oneDNN has only a reference implementation for the shape (it would be a hundred
    // times slower).
    PackedMatrix pack(MatrixView<const float> w);

    // y = x wᵀ + bias (null: none), or y += that where `accumulate`. Shape x [rows, in], y [rows, out],
    // contiguous.
    void multiply(std::int64_t rows, const float* x, const PackedMatrix& w, const float* bias,
                  bool accumulate, float* y);

    // "oneDNN 2.6.3"
    static std::string version();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace assay::compute
