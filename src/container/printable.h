// Text from files, made fit for an error line. Private to container.
#pragma once

#include <string>
#include <string_view>

namespace assay {

// At most 200 bytes of `text`; control characters and bytes that are not UTF-8 are written as \xNN: whatever
// a file holds, errors stay one short line of text.
std::string printable(std::string_view text);

}  // namespace assay
