#include "text/unicode.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "text/byte_level.h"

namespace assay {
namespace {

TEST(Utf8, IsReadInBothDirections) {
    const std::string text = "aé漢😀";
    EXPECT_EQ(character_at(text, 1).code, U'é');
    EXPECT_EQ(character_at(text, 3).bytes, 3u);
    EXPECT_EQ(character_before(text, text.size()).code, U'😀');
    EXPECT_EQ(character_before(text, 1).code, U'a');
}

TEST(Utf8, IsRejectedAtTheFirstBadByte) {
    for (const char* bad :
         {"ab\x80", "ab\xc0\x80", "ab\xe2\x82", "ab\xed\xa0\x80", "ab\xf4\x90\x80\x80", "ab\xff"}) {
        try {
            require_utf8(bad, "text");
            FAIL() << "accepted";
        } catch (const FormatError& error) {
            EXPECT_EQ(error.offset(), 2u);
        }
    }
    EXPECT_NO_THROW(require_utf8("aé漢😀", "text"));
}

TEST(Utf8, BadBytesBecomeOneReplacementPerMaximalPart) {
    EXPECT_EQ(replace_invalid_utf8("a\xe6\xbc b"), "a\uFFFD b");
    EXPECT_EQ(replace_invalid_utf8("\xff\xff"), "\uFFFD\uFFFD");
    EXPECT_EQ(replace_invalid_utf8("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");
    EXPECT_EQ(replace_invalid_utf8("aé"), "aé");
}

TEST(Unicode, ClassesFollowTheLibrary) {
    EXPECT_TRUE(is_numeric(U'²') && is_numeric(U'Ⅷ') && is_numeric(0x10D40) && !is_numeric(U'a'));
    EXPECT_TRUE(is_whitespace(0x85) && is_whitespace(0x3000) && !is_whitespace(0x180E));
    EXPECT_TRUE(is_word_character(U'_') && is_word_character(0x301) && is_word_character(0x897));
    EXPECT_FALSE(is_word_character(U'-') || is_word_character(U'²'));
}

TEST(Unicode, LowerCaseIsFullAndWithoutContext) {
    EXPECT_EQ(lowercase("ΑΣ İX"), "ασ i\u0307x");
}

TEST(Unicode, NormalFormsAreThoseOfVersionNine) {
    EXPECT_EQ(unicode_normalizer(NormalForm::kNfc)("e\u0301"), "é");
    EXPECT_EQ(unicode_normalizer(NormalForm::kNfd)("é"), "e\u0301");
    EXPECT_EQ(unicode_normalizer(NormalForm::kNfkc)("ﬁＡ"), "fiA");
    EXPECT_EQ(unicode_normalizer(NormalForm::kNfkd)("Å"), "A\u030A");
    EXPECT_EQ(unicode_normalizer(NormalForm::kNfkc)("\u32FF"), "\u32FF");  // of Unicode 12.1
}

TEST(ByteLevel, GivesEveryByteACharacterAndBack) {
    std::string bytes;
    for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
    EXPECT_EQ(characters_to_bytes(bytes_to_characters(bytes)), bytes);
    EXPECT_EQ(bytes_to_characters(" \na\xad"), "ĠĊaŃ");
}

TEST(ByteLevel, KeepsTokensWithOtherCharactersAsTheyAre) {
    EXPECT_EQ(characters_to_bytes("Ġ漢"), "Ġ漢");
}

}  // namespace
}  // namespace assay
