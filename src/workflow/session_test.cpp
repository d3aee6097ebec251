// Windows, items and envelopes of a session on a tiny model.
#include "workflow/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "container/temporary_folder.h"
#include "text/windows.h"
#include "workflow/byte_model.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int32_t kBos = kByteModelBos;

class SessionTest : public TemporaryFolder {
  protected:
    SessionTest() {
        write_byte_model(folder_ / "m.gguf");
        std::ofstream(folder_ / "text.txt")
            << "abcdefghijklmno";  // "ab" and 13 letters: 14 tokens, 15 with BOS
        std::ofstream(folder_ / "ids.json") << "[[1,2,3],[4,5,6,7],[8,9]]";
    }

    Session open() {
        return Session({.model = folder_ / "m.gguf", .threads = 1}, silent_progress(), cancel_);
    }

    Evaluation evaluation(const EvaluationText& text) {
        Session session = open();
        return session.evaluation(text);
    }

    std::vector<TokenWindow> windows(const EvaluationText& text) {
        std::vector<TokenWindow> tokens;
        for (EvaluationWindow& window : evaluation(text).windows) tokens.push_back(window.tokens);
        return tokens;
    }

    template <class Error>
    std::string refusal(const EvaluationText& text) {
        try {
            windows(text);
        } catch (const Error& e) {
            return e.what();
        }
        return "no error";
    }

    CancelToken cancel_;
};

TEST_F(SessionTest, TextIsCutIntoWindowsOfTokens) {
    const auto all = windows({.text = folder_ / "text.txt", .window = 6});
    ASSERT_EQ(all.size(), 2u);
    EXPECT_THAT(all[0], ElementsAre(kBos, 256, 'c', 'd', 'e', 'f'));
    EXPECT_THAT(all[1], ElementsAre('g', 'h', 'i', 'j', 'k', 'l'));
}

TEST_F(SessionTest, EachWindowMayBeginWithBosAtTheSameLength) {
    const auto all = windows({.text = folder_ / "text.txt", .window = 6, .bos_per_window = true});
    ASSERT_EQ(all.size(), 2u);
    EXPECT_THAT(all[0], ElementsAre(kBos, 256, 'c', 'd', 'e', 'f'));
    EXPECT_THAT(all[1], ElementsAre(kBos, 'g', 'h', 'i', 'j', 'k'));
}

TEST_F(SessionTest, TheContextIsThatOfEveryWindow) {
    for (const EvaluationText& text :
         {EvaluationText{.text = folder_ / "text.txt", .window = 6, .context = 3},
          EvaluationText{.ids = folder_ / "ids.json", .context = 3}}) {
        const Evaluation all = evaluation(text);
        EXPECT_EQ(all.protocol, "gptq");
        for (const EvaluationWindow& window : all.windows) EXPECT_EQ(window.context, 3);
    }
}

// 15 tokens with the BOS in front: BOS also takes the place of the token that begins the second chunk.
TEST_F(SessionTest, LlamaCppsProtocolBeginsEachChunkWithBosAndScoresItsSecondHalf) {
    const Evaluation all = evaluation({.text = folder_ / "text.txt", .protocol = "llama.cpp", .window = 6});
    EXPECT_EQ(all.protocol, "llama.cpp");
    EXPECT_THAT(all.windows, ElementsAre(EvaluationWindow{{kBos, 256, 'c', 'd', 'e', 'f'}, 3},
                                         EvaluationWindow{{kBos, 'h', 'i', 'j', 'k', 'l'}, 3}));
}

TEST_F(SessionTest, LlamaCppsWindowsAreOf512Tokens) {
    const Evaluation all = evaluation({.protocol = "llama.cpp", .max_windows = 1});
    EXPECT_EQ(all.windows[0].tokens.size(), 512u);
    EXPECT_EQ(all.windows[0].context, 256);
}

TEST_F(SessionTest, LlamaCppsProtocolNeedsTwoChunks) {
    EXPECT_THAT(refusal<FormatError>({.text = folder_ / "text.txt", .protocol = "llama.cpp", .window = 8}),
                HasSubstr("2 or more"));
}

TEST_F(SessionTest, SlidingWindowsAdvanceByTheStride) {
    const Evaluation all =
        evaluation({.text = folder_ / "text.txt", .protocol = "sliding", .window = 10, .stride = 4});
    EXPECT_EQ(all.stride, 4);
    ASSERT_EQ(all.windows.size(), 3u);
    EXPECT_THAT(all.windows[0].tokens, ElementsAre(kBos, 256, 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'));
    EXPECT_EQ(all.windows[2], (EvaluationWindow{{'i', 'j', 'k', 'l', 'm', 'n', 'o'}, 5}));
}

TEST_F(SessionTest, TheStrideIsHalfAWindowWhereNoneIsGiven) {
    EXPECT_EQ(evaluation({.text = folder_ / "text.txt", .protocol = "sliding", .window = 7}).stride, 3);
    EXPECT_EQ(evaluation({.protocol = "sliding", .max_windows = 1}).stride, 256);  // of the model's 512
}

TEST_F(SessionTest, OptionsThatAProtocolDoesNotTakeAreRefused) {
    for (const std::string protocol : {"llama.cpp", "sliding"}) {
        EXPECT_THAT(refusal<InvalidArgument>({.ids = folder_ / "ids.json", .protocol = protocol}),
                    HasSubstr("--ids"));
        EXPECT_THAT(refusal<InvalidArgument>({.protocol = protocol, .context = 1}), HasSubstr("--context"));
    }
    for (const std::string protocol : {"llama.cpp", "gptq"}) {
        EXPECT_THAT(refusal<InvalidArgument>({.protocol = protocol, .stride = 2}), HasSubstr("--stride"));
    }
    EXPECT_THAT(refusal<InvalidArgument>({.protocol = "sliding", .window = 6, .stride = 6}),
                HasSubstr("--stride must lie between 1 and 5"));
}

TEST_F(SessionTest, AnUnknownProtocolIsRefused) {
    EXPECT_THAT(refusal<InvalidArgument>({.protocol = "mine"}), HasSubstr("--protocol mine is unknown"));
}

TEST_F(SessionTest, MaxWindowsKeepsTheFirstOnes) {
    EXPECT_EQ(windows({.text = folder_ / "text.txt", .window = 6, .max_windows = 1}).size(), 1u);
    const auto ids = windows({.ids = folder_ / "ids.json", .max_windows = 2});
    ASSERT_EQ(ids.size(), 2u);
    EXPECT_THAT(ids[1], ElementsAre(4, 5, 6, 7));
}

TEST_F(SessionTest, TheBuiltInTextIsTheDefault) {
    const auto all = windows({.window = 64, .max_windows = 3});
    ASSERT_EQ(all.size(), 3u);
    EXPECT_EQ(all[2].size(), 64u);
}

TEST_F(SessionTest, IdsAndTextTogetherAreRefused) {
    EXPECT_THAT(refusal<InvalidArgument>({.text = folder_ / "text.txt", .ids = folder_ / "ids.json"}),
                HasSubstr("--text or --ids"));
}

TEST_F(SessionTest, AWindowLongerThanTheContextIsRefused) {
    std::ofstream(folder_ / "long.json") << Json(std::vector<std::vector<int>>{std::vector<int>(513, 1)});
    EXPECT_THAT(refusal<InvalidArgument>({.ids = folder_ / "long.json"}),
                HasSubstr("513 tokens is longer than the model's context of 512"));
    std::ofstream(folder_ / "whole.json") << Json(std::vector<std::vector<int>>{std::vector<int>(512, 1)});
    EXPECT_EQ(windows({.ids = folder_ / "whole.json"}).size(), 1u);
}

TEST_F(SessionTest, WindowsOfTextAreNeverLongerThanTheContext) {
    for (const auto& w : windows({.window = 1 << 20, .max_windows = 2})) EXPECT_EQ(w.size(), 512u);
}

TEST_F(SessionTest, IdsOutsideTheVocabularyAreRefused) {
    std::ofstream(folder_ / "foreign.json") << "[[1,259]]";
    EXPECT_THAT(refusal<FormatError>({.ids = folder_ / "foreign.json"}), HasSubstr("foreign.json"));
}

TEST_F(SessionTest, ATextShorterThanAWindowIsRefusedByName) {
    EXPECT_THAT(refusal<FormatError>({.text = folder_ / "text.txt", .window = 16}), HasSubstr("text.txt"));
}

TEST_F(SessionTest, ATokenizerLargerThanTheEmbeddingIsRefused) {
    ModelConfig config = small_llama_config();
    write_llama_gguf(folder_ / "m.gguf", config, *random_weights(config, 3), [](GgufHeader& header) {
        std::vector<std::string> tokens;
        for (int i = 0; i < 98; ++i) tokens.push_back("t" + std::to_string(i));
        header.set_string("tokenizer.ggml.model", "gpt2");
        header.set_strings("tokenizer.ggml.tokens", tokens);
    });
    EXPECT_THAT(refusal<FormatError>({.text = folder_ / "text.txt", .window = 6}),
                HasSubstr("98 tokens, its embedding only 97 rows"));
}

TEST_F(SessionTest, ItemsAreSelectedByAnExpressionInTheirNames) {
    Session session = open();
    const auto names = [&](const std::string& expression) {
        std::vector<std::string> all;
        for (std::size_t i : session.select_items(expression)) all.push_back(session.model().items()[i].name);
        return all;
    };
    EXPECT_EQ(names("").size(), 16u);
    EXPECT_THAT(names("layers\\.1\\..*(q|k)_proj"),
                ElementsAre("model.layers.1.self_attn.q_proj", "model.layers.1.self_attn.k_proj"));
    EXPECT_THAT(names("lm_head$"), ElementsAre("lm_head"));
    EXPECT_THROW(names("nothing"), InvalidArgument);
    EXPECT_THROW(names("("), InvalidArgument);
}

TEST_F(SessionTest, TheEnvelopeSaysWhatWasMeasuredOnWhat) {
    Session session = open();
    const auto all = session.evaluation({.ids = folder_ / "ids.json", .context = 0}).windows;
    const Envelope envelope = session.finish(InspectResult{});
    ASSERT_EQ(envelope.inputs.size(), 2u);
    EXPECT_EQ(envelope.inputs[0].path, (folder_ / "m.gguf").string());
    EXPECT_EQ(envelope.inputs[1].path, (folder_ / "ids.json").string());
    EXPECT_EQ(envelope.inputs[1].sha256, file_sha256(folder_ / "ids.json", silent_progress(), cancel_));
    EXPECT_EQ(envelope.settings["window"], 4);
    EXPECT_EQ(envelope.settings["windows"], 3);
    EXPECT_EQ(envelope.settings["context"], 0);
    EXPECT_EQ(envelope.settings["protocol"], "gptq");
    EXPECT_EQ(envelope.settings["windows_sha256"], windows_sha256(all));
    EXPECT_GE(envelope.seconds, 0);
}

TEST_F(SessionTest, AFileHashesAsItsBytes) {
    std::ofstream(folder_ / "abc") << "abc";  // FIPS 180-2, appendix B.1
    EXPECT_EQ(file_sha256(folder_ / "abc", silent_progress(), cancel_),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(SessionTest, AnUnknownBackendIsRefused) {
    EXPECT_THROW(
        Session({.model = folder_ / "m.gguf", .threads = 1, .backend = "cuda"}, silent_progress(), cancel_),
        InvalidArgument);
}

}  // namespace
}  // namespace assay
