#include "text/documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "container/temporary_folder.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class DocumentsTest : public TemporaryFolder {
  protected:
    std::filesystem::path write(const std::string& name, const std::string& bytes) {
        const auto path = folder_ / name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << bytes;
        return path;
    }

    DocumentSet open(const std::filesystem::path& path, std::size_t piece_bytes = 1 << 20) {
        return {open_text_sources(path), "text", piece_bytes};
    }

    std::vector<std::string> texts(const std::filesystem::path& path, std::size_t piece_bytes = 1 << 20) {
        const DocumentSet set = open(path, piece_bytes);
        std::vector<std::string> all;
        for (std::size_t i = 0; i < set.size(); ++i) all.push_back(set.read(i));
        return all;
    }

    void refuses(const std::filesystem::path& path, const std::string& message) {
        EXPECT_THAT([&] { texts(path); }, ThrowsMessage<FormatError>(HasSubstr(message)));
    }
};

TEST_F(DocumentsTest, OfAFolderComeByPathWithLinesAndTexts) {
    write("b.txt", "whole\nfile");
    write("a.jsonl", "{\"text\": \"one\", \"id\": 7}\n\n \r\n{\"text\": \"t\\u00fc\"}\r\n{\"text\": \"\"}");
    write("deep/c.txt", "\xef\xbb\xbfmarked");
    write("notes.md", "no text of ours");
    EXPECT_THAT(texts(folder_), ElementsAre("one", "tü", "", "whole\nfile", "marked"));
    const DocumentSet set = open(folder_);
    EXPECT_EQ(set.documents(0), 3);
    EXPECT_EQ(set.documents(1), 1);
}

TEST_F(DocumentsTest, LongTextsComeInPiecesCutAfterLines) {
    const auto path = write("long.txt", "aaaa\nbbb\ncccccccccccc\ndd");
    EXPECT_THAT(texts(path, 10), ElementsAre("aaaa\nbbb\n", "cccccccccc", "cc\ndd"));
    EXPECT_EQ(open(path, 10).documents(0), 1);
}

TEST_F(DocumentsTest, PiecesNeverCutACharacter) {
    const std::string euro = "\xe2\x82\xac";
    const auto path = write("euro.txt", euro + euro + euro);
    EXPECT_THAT(texts(path, 4), ElementsAre(euro, euro, euro));
    EXPECT_THAT(texts(path, 6), ElementsAre(euro + euro, euro));
}

TEST_F(DocumentsTest, AnEmptyFileHasNoDocument) {
    EXPECT_THAT(texts(write("empty.txt", "")), ElementsAre());
    EXPECT_THAT(texts(write("empty.jsonl", "\n\n")), ElementsAre());
    EXPECT_EQ(open(folder_ / "empty.txt").documents(0), 0);
}

TEST_F(DocumentsTest, RefusesAFolderWithoutTexts) {
    write("notes.md", "no text of ours");
    refuses(folder_, "the folder holds no .txt and no .jsonl file");
}

TEST_F(DocumentsTest, RefusesAFileThatIsNotThere) {
    refuses(folder_ / "none.txt", "none.txt");
}

TEST_F(DocumentsTest, RefusesAFileOfAnotherKind) {
    refuses(write("text.parquet", "PAR1"), "calibration texts are .txt or .jsonl files");
}

TEST_F(DocumentsTest, RefusesATextOfAnotherEncoding) {
    refuses(write("latin.txt", "gr\xfc\xdf"), "latin.txt: byte 0xfc is not UTF-8; convert the text to UTF-8");
}

TEST_F(DocumentsTest, RefusesALineOfAnotherEncodingNamingIt) {
    refuses(write("latin.jsonl", "{\"text\": \"fine\"}\n{\"text\": \"gr\xfc\xdf\"}\n"),
            "latin.jsonl, line 2");
}

TEST_F(DocumentsTest, RefusesALineThatIsNoJson) {
    refuses(write("a.jsonl", "\n{\"text\": \n"), "a.jsonl, line 2");
}

TEST_F(DocumentsTest, RefusesALineThatIsNoObject) {
    refuses(write("a.jsonl", "[\"text\"]"), "line 1 is not a JSON object");
}

TEST_F(DocumentsTest, RefusesALineWithoutTheMemberAndListsItsOwn) {
    refuses(write("a.jsonl", "{\"content\": \"x\", \"id\": 1}"),
            "line 1 has no member \"text\"; it has: content, id; name the one with the text by "
            "--calibration-field");
}

TEST_F(DocumentsTest, RefusesAMemberThatIsNoText) {
    refuses(write("a.jsonl", "{\"text\": [1]}"), "expected a string");
}

}  // namespace
}  // namespace assay
