// Folders as transformers 5 may store them: fused experts, and the language model of a multimodal class.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/error.h"
#include "base/mapped_file.h"
#include "container/safetensors_writer.h"
#include "container/temporary_folder.h"
#include "model/model_files.h"
#include "model/safetensors_source.h"
#include "model/test_models.h"

namespace assay {
namespace {

using ::testing::HasSubstr;

const std::filesystem::path kTiny = std::filesystem::path(ASSAY_TEST_DATA) / "tiny";

// A tensor's bytes under another name and shape.
struct Stored {
    DType dtype = DType::kF32;
    Shape shape;
    std::vector<std::byte> bytes;
};
using Folder = std::map<std::string, Stored>;

Folder read_folder(const std::filesystem::path& path) {
    Folder folder;
    const SafetensorsSet set = SafetensorsSet::open(path);
    for (const auto& [name, view] : set.tensors())
        folder[name] = {view.dtype, view.shape, {view.bytes.begin(), view.bytes.end()}};
    return folder;
}

// The experts' matrices one above the other; they leave the folder.
Stored stacked(Folder& folder, const std::vector<std::string>& names, const Shape& shape) {
    Stored all{DType::kBF16, shape, {}};
    for (const std::string& name : names) {
        const Stored& own = folder.at(name);
        all.bytes.insert(all.bytes.end(), own.bytes.begin(), own.bytes.end());
        folder.erase(name);
    }
    return all;
}

// As transformers 5 holds them in memory: gate over up for each expert, all experts in one tensor.
void fuse_experts(Folder& folder, const ModelConfig& c) {
    const bool mixtral = c.architecture == "MixtralForCausalLM";
    for (std::int64_t b = 0; b < c.layers; ++b) {
        if (!c.layer[static_cast<std::size_t>(b)].experts) continue;
        const std::string layer = "model.layers." + std::to_string(b) + ".",
                          block = layer + (mixtral ? "block_sparse_moe." : "mlp.");
        std::vector<std::string> gate_up, down;
        for (std::int64_t e = 0; e < c.experts.count; ++e) {
            const std::string expert = block + "experts." + std::to_string(e) + ".";
            gate_up.push_back(expert + (mixtral ? "w1" : "gate_proj") + ".weight");
            gate_up.push_back(expert + (mixtral ? "w3" : "up_proj") + ".weight");
            down.push_back(expert + (mixtral ? "w2" : "down_proj") + ".weight");
        }
        const std::int64_t inner = c.experts.intermediate;
        folder[layer + "mlp.experts.gate_up_proj"] =
            stacked(folder, gate_up, {c.experts.count, 2 * inner, c.hidden});
        folder[layer + "mlp.experts.down_proj"] = stacked(folder, down, {c.experts.count, c.hidden, inner});
        if (!mixtral) continue;
        folder[layer + "mlp.gate.weight"] = folder.at(block + "gate.weight");
        folder.erase(block + "gate.weight");
    }
}

class StoredNamesTest : public TemporaryFolder {
  protected:
    void write(const Folder& tensors, const Json& config) {
        std::vector<TensorDeclaration> declarations;
        for (const auto& [name, tensor] : tensors) declarations.push_back({name, tensor.dtype, tensor.shape});
        SafetensorsWriter writer(folder_ / "model.safetensors", declarations);
        for (const TensorDeclaration& t : writer.order()) writer.write(t.name, tensors.at(t.name).bytes);
        writer.commit();
        std::ofstream(folder_ / "config.json") << config.dump();
    }

    static Json config_of(const std::string& name) {
        return parse_json(read_file(kTiny / name / "config.json"), name);
    }

    // The written folder is the tiny model.
    void expect_same_as(const std::string& name) {
        const Model hub = load_model(open_model_files(kTiny / name)),
                    own = load_model(open_model_files(folder_));
        EXPECT_TRUE(own.config() == hub.config());
        for (const LinearItem& item : hub.items()) {
            const Matrix<float> a = read_weight(hub.weights(), item.name),
                                b = read_weight(own.weights(), item.name);
            ASSERT_EQ(a.rows(), b.rows()) << item.name;
            EXPECT_TRUE(std::equal(a.values().begin(), a.values().end(), b.values().begin())) << item.name;
        }
        TestEngine engine;
        const TokenWindow window = random_windows({50}, hub.config().vocabulary)[0];
        const Matrix<float> a = window_logits(hub, engine, window), b = window_logits(own, engine, window);
        EXPECT_TRUE(std::equal(a.values().begin(), a.values().end(), b.values().begin()));
    }

    std::string error() {
        try {
            load_model(open_model_files(folder_));
        } catch (const FormatError& e) {
            return e.what();
        }
        return "no error";
    }
};

class FusedExpertsTest : public StoredNamesTest, public ::testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(Tiny, FusedExpertsTest, ::testing::Values("mixtral", "qwen2-moe", "qwen3-moe"),
                         [](const auto& info) {
                             std::string name = info.param;
                             std::erase(name, '-');
                             return name;
                         });

TEST_P(FusedExpertsTest, AreOneMatrixAnExpert) {
    Folder folder = read_folder(kTiny / GetParam());
    const auto before = folder.size();
    fuse_experts(folder, load_model(open_model_files(kTiny / GetParam())).config());
    ASSERT_LT(folder.size(), before);
    write(folder, config_of(GetParam()));
    expect_same_as(GetParam());
    // listed one by one, with their own bytes
    std::uint64_t listed = 0, stored = 0;
    const auto tensors = open_model_files(folder_).weights->tensors();
    for (const StoredTensor& tensor : tensors) listed += tensor.bytes;
    for (const auto& item : folder) stored += item.second.bytes.size();
    EXPECT_EQ(tensors.size(), before);
    EXPECT_EQ(listed, stored);
}

TEST_F(StoredNamesTest, SomeRowsOfAFusedExpertAreItsOwn) {
    Folder folder = read_folder(kTiny / "mixtral");
    fuse_experts(folder, load_model(open_model_files(kTiny / "mixtral")).config());
    write(folder, config_of("mixtral"));
    const auto files = open_model_files(folder_), hub = open_model_files(kTiny / "mixtral");
    for (const char* part : {"w1", "w2", "w3"}) {
        const std::string name = std::string("model.layers.1.block_sparse_moe.experts.2.") + part + ".weight";
        const Shape shape = hub.weights->shape(name);
        Matrix<float> a(5, shape[1]), b(5, shape[1]);
        files.weights->read(name, 7, a.view());
        hub.weights->read(name, 7, b.view());
        EXPECT_TRUE(std::equal(a.values().begin(), a.values().end(), b.values().begin())) << name;
        EXPECT_THROW(files.weights->read(name, shape[0] - 4, a.view()), InvalidArgument);
        files.weights->fetch(name);
        files.weights->release(name);
    }
}

TEST_F(StoredNamesTest, FusedExpertsOfAnotherShapeAreRefused) {
    const std::string name = "model.layers.0.mlp.experts.gate_up_proj";
    for (const Shape& shape : {Shape{6, 4}, Shape{2, 3, 4}, Shape{1 << 17, 2, 0}}) {
        Folder folder;
        folder[name] = {DType::kBF16, shape,
                        std::vector<std::byte>(static_cast<std::size_t>(element_count(shape)) * 2)};
        write(folder, config_of("mixtral"));
        EXPECT_THAT(error(), HasSubstr("expected [experts, gate and up, in]")) << to_string(shape);
    }
}

TEST_F(StoredNamesTest, AnExpertThatIsStoredTwiceIsRefused) {
    Folder folder = read_folder(kTiny / "mixtral");
    const Stored own = folder.at("model.layers.0.block_sparse_moe.experts.0.w1.weight");
    fuse_experts(folder, load_model(open_model_files(kTiny / "mixtral")).config());
    folder["model.layers.0.block_sparse_moe.experts.0.w1.weight"] = own;
    write(folder, config_of("mixtral"));
    EXPECT_THAT(error(), HasSubstr("two tensors stand for"));
}

TEST_F(StoredNamesTest, FusedExpertsWithScalesAreRefused) {
    Folder folder = read_folder(kTiny / "mixtral");
    fuse_experts(folder, load_model(open_model_files(kTiny / "mixtral")).config());
    Stored& down = folder.at("model.layers.0.mlp.experts.down_proj");
    down.dtype = DType::kF8E4M3;
    down.bytes.resize(down.bytes.size() / 2);
    folder["model.layers.0.mlp.experts.down_proj_scale_inv"] = {DType::kF32, {1}, std::vector<std::byte>(4)};
    write(folder, config_of("mixtral"));
    EXPECT_THAT(error(), HasSubstr("has scales, which only matrices can have"));
}

// Gemma3ForConditionalGeneration: names on the hub, and those that transformers 5 has in memory.
TEST_F(StoredNamesTest, TheLanguageModelOfAMultimodalClassIsTheTextModel) {
    const Json text = config_of("gemma3-text");
    Json whole{{"architectures", {"Gemma3ForConditionalGeneration"}}, {"model_type", "gemma3"}};
    whole["text_config"] = text;
    whole["text_config"].erase("architectures");
    for (const char* style : {"language_model.model.", "model.language_model."}) {
        Folder folder;
        for (auto& [name, tensor] : read_folder(kTiny / "gemma3-text"))
            folder[style + name.substr(std::string("model.").size())] = tensor;
        folder["vision_tower.probe"] = {DType::kF32, {1}, std::vector<std::byte>(4)};
        write(folder, whole);
        expect_same_as("gemma3-text");
        EXPECT_EQ(open_model_files(folder_).architecture, "Gemma3ForCausalLM");
    }
}

TEST_F(StoredNamesTest, NamesOfAnUnknownClassStayAsTheyAre) {
    Folder folder;
    folder["language_model.model.norm.weight"] = {DType::kF32, {1}, std::vector<std::byte>(4)};
    folder["model.layers.0.mlp.experts.gate_up_proj"] = {DType::kF32, {1}, std::vector<std::byte>(4)};
    write(folder, {{"architectures", {"LlavaForConditionalGeneration"}}});
    const auto files = open_model_files(folder_);
    for (const auto& item : folder) EXPECT_TRUE(files.weights->contains(item.first)) << item.first;
}

}  // namespace
}  // namespace assay
