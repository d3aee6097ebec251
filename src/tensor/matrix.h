// Matrices in host memory: a view (row-major with a row stride) and an owning, contiguous one.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace assay {

// Does not own. Row r is the `cols` elements from data + r * stride.
template <class T>
class MatrixView {
  public:
    MatrixView() = default;
    MatrixView(T* data, std::int64_t rows, std::int64_t cols, std::int64_t stride)
        : data_(data), rows_(rows), cols_(cols), stride_(stride) {}
    MatrixView(T* data, std::int64_t rows, std::int64_t cols) : MatrixView(data, rows, cols, cols) {}
    operator MatrixView<const T>() const { return {data_, rows_, cols_, stride_}; }

    std::int64_t rows() const { return rows_; }
    std::int64_t cols() const { return cols_; }
    std::int64_t stride() const { return stride_; }
    T* data() const { return data_; }
    std::span<T> row(std::int64_t r) const { return {data_ + r * stride_, static_cast<std::size_t>(cols_)}; }
    MatrixView row_range(std::int64_t first, std::int64_t count) const {
        return {data_ + first * stride_, count, cols_, stride_};
    }
    T& operator()(std::int64_t r, std::int64_t c) const { return data_[r * stride_ + c]; }

  private:
    T* data_ = nullptr;
    std::int64_t rows_ = 0, cols_ = 0, stride_ = 0;
};

// Owns rows x cols contiguous elements, zero at first.
template <class T>
class Matrix {
  public:
    Matrix() = default;
    Matrix(std::int64_t rows, std::int64_t cols)
        : rows_(rows), cols_(cols), values_(static_cast<std::size_t>(rows * cols)) {}

    std::int64_t rows() const { return rows_; }
    std::int64_t cols() const { return cols_; }
    MatrixView<T> view() { return {values_.data(), rows_, cols_}; }
    MatrixView<const T> view() const { return {values_.data(), rows_, cols_}; }
    std::span<T> values() { return values_; }
    std::span<const T> values() const { return values_; }
    std::span<T> row(std::int64_t r) { return view().row(r); }
    std::span<const T> row(std::int64_t r) const { return view().row(r); }

  private:
    std::int64_t rows_ = 0, cols_ = 0;
    std::vector<T> values_;
};

}  // namespace assay
