// The wire format of protocol buffers, read.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/byte_reader.h"

namespace assay {

// One field of a message. The accessors throw FormatError for a field of another wire type.
class ProtobufField {
  public:
    std::uint64_t number() const { return number_; }
    std::uint64_t as_varint() const;
    bool as_bool() const { return as_varint() != 0; }
    float as_float() const;
    std::string_view as_bytes() const;  // also of a message or a text

  private:
    friend void for_each_field(std::string_view, std::string_view,
                               const std::function<void(const ProtobufField&)>&);
    [[noreturn]] void fail(std::string_view expected) const;

    enum class WireType { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
    std::uint64_t number_ = 0;
    WireType type_ = WireType::kVarint;
    std::uint64_t bits_ = 0;  // of a number
    std::string_view bytes_;
    std::string_view what_;
};

// Calls found for each field of a message in the order of the file. Throws FormatError, naming `what`, for
// bytes that are no message; groups, which no current file has, are none. Source:
// protobuf.dev/programming-guides/encoding.
void for_each_field(std::string_view message, std::string_view what,
                    const std::function<void(const ProtobufField&)>& found);

}  // namespace assay
