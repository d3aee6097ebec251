// What a treatment does to a matrix's rows, panel by panel.
#pragma once

#include <optional>

#include "model/model.h"
#include "quantize/error_map.h"
#include "quantize/reconstruction.h"
#include "quantize/row_scan.h"
#include "quantize/rtn_errors.h"
#include "records/treatment.h"

namespace assay {

// The rows of an item's weight as stored. The model must outlive it.
RowSource weight_rows(const Model& model, const LinearItem& item);

// Whether the treatment gives some rows of a matrix what it gives these rows of the whole.
bool treats_row_by_row(const Treatment& treatment);

// The errors of treated panels, for treatments that treat row by row. The item must outlive it.
class TreatedSums {
  public:
    TreatedSums(const LinearItem& item, const Treatment& treatment, bool with_map);

    // Throws: as apply_treatment(), but for the rows that it names, which are the panel's.
    void add(const RowPanel& panel);
    void merge(const TreatedSums& other);

    // weight_squares: Σ w².
    ReconstructionError error(double weight_squares) const;
    std::optional<ErrorMap> map() const;

  private:
    friend TreatedSums treat_whole(const Model& model, const LinearItem& item, const Treatment& treatment,
                                   bool with_map, ThreadPool& pool);
    void compare(MatrixView<const float> w, MatrixView<const float> treated, std::int64_t first_row);

    const LinearItem* item_;
    Treatment treatment_;
    std::optional<RtnErrorSums> rounded_;  // the usual ones: their rounded rows are not made
    ErrorTotals compared_;                 // of others
    std::optional<ErrorMapSums> map_;
    Matrix<float> treated_;  // scratch
};

// The same of a treatment that needs the whole matrix at once, which takes the memory of two.
TreatedSums treat_whole(const Model& model, const LinearItem& item, const Treatment& treatment, bool with_map,
                        ThreadPool& pool);

}  // namespace assay
