// A model: its config, its weights, its block program and its linears.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/block_program.h"
#include "model/config.h"
#include "model/weight_source.h"

namespace assay {

// A quantizable weight [out, in]; the embedding and the head are items too, one item where they are tied.
// Routers of experts are items that can be swapped, but runtimes keep them in 16 bits.
struct LinearItem {
    enum class Role { kBlock, kRouter, kEmbedding, kHead, kTiedEmbedding };

    std::string name;        // "model.layers.3.mlp.down_proj"
    std::string projection;  // last part: "down_proj"
    Role role = Role::kBlock;
    std::int64_t block = -1;  // of a block's linear or router
    int op = -1;              // index into the block's program
    std::int64_t out = 0;
    std::int64_t in = 0;
};

// Names and shapes of all tensors that a model needs, in the order of the blocks; matrices have two
// dimensions.
std::vector<std::pair<std::string, Shape>> expected_tensors(const ModelConfig& config,
                                                            const std::vector<BlockProgram>& blocks);

class Model {
  public:
    // Checks that every tensor that the config calls for is there with its shape; throws FormatError naming
    // the first that is not. `path` is for messages.
    Model(std::string path, ModelConfig config, std::vector<BlockProgram> blocks,
          std::shared_ptr<const WeightSource> weights);

    const std::string& path() const { return path_; }
    const ModelConfig& config() const { return config_; }
    const BlockProgram& block(std::int64_t block) const { return blocks_[static_cast<std::size_t>(block)]; }
    const WeightSource& weights() const { return *weights_; }

    // In the order of the blocks, each block's in the order of its program; then embedding and head.
    const std::vector<LinearItem>& items() const { return items_; }

    // The item of a block's operation; throws InvalidArgument for an operation that is no linear.
    const LinearItem& item_of(std::int64_t block, std::size_t op) const;

    // The items that hold the embedding and the output layer: the same one where they are tied.
    const LinearItem& embedding_item() const { return items_[items_.size() - (config_.tied_head ? 1 : 2)]; }
    const LinearItem& head_item() const { return items_.back(); }

    // Full names of the norms' weights and the linears' biases, in the order of the blocks; the final norm
    // last.
    std::vector<std::string> vector_names() const;

    // "model.layers.3.self_attn.q_proj" for block 3 and weight "self_attn.q_proj".
    static std::string block_weight_name(std::int64_t block, const std::string& weight);

  private:
    void list_items();
    void expect_tensor(const std::string& name, const std::vector<std::int64_t>& shape) const;

    std::string path_;
    ModelConfig config_;
    std::vector<BlockProgram> blocks_;
    std::shared_ptr<const WeightSource> weights_;
    std::vector<LinearItem> items_;
    std::vector<std::vector<std::size_t>> item_of_op_;  // [block][op] -> index into items_, of linears
};

// Does treating this item change the embeddings, the logits' weight?
bool changes_embedding(const LinearItem& item);
bool changes_head(const LinearItem& item);

inline constexpr const char* kEmbeddingName = "model.embed_tokens";
inline constexpr const char* kHeadName = "lm_head";
inline constexpr const char* kFinalNormName = "model.norm";

// The whole of a tensor NAME.weight [out, in] as f32. Throws NumericError, naming tensor and place, at a NaN
// or Inf.
Matrix<float> read_weight(const WeightSource& source, const std::string& name);

// Rows [first, first + count) of it, checked in the same way.
Matrix<float> read_weight_rows(const WeightSource& source, const std::string& name, std::int64_t first,
                               std::int64_t count);

// A vector NAME (with its suffix) as f32, checked in the same way.
std::vector<float> read_vector(const WeightSource& source, const std::string& name);

}  // namespace assay
