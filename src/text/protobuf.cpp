#include "text/protobuf.h"

#include <fmt/format.h>

#include <bit>
#include <span>

#include "base/error.h"

namespace assay {
namespace {

std::uint64_t read_varint(ByteReader& reader, std::string_view what) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const auto byte = reader.read<std::uint8_t>();
        value |= std::uint64_t{byte & 0x7Fu} << shift;
        if (byte < 0x80) return value;
    }
    throw FormatError(fmt::format("{}: a number of more than ten bytes", what), reader.offset());
}

}  // namespace

void ProtobufField::fail(std::string_view expected) const {
    throw FormatError(fmt::format("{}: field {} has wire type {}, expected {}", what_, number_,
                                  static_cast<int>(type_), expected));
}

std::uint64_t ProtobufField::as_varint() const {
    if (type_ != WireType::kVarint) fail("a number");
    return bits_;
}

float ProtobufField::as_float() const {
    if (type_ != WireType::kFixed32) fail("a float");
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits_));
}

std::string_view ProtobufField::as_bytes() const {
    if (type_ != WireType::kBytes) fail("bytes");
    return bytes_;
}

void for_each_field(std::string_view message, std::string_view what,
                    const std::function<void(const ProtobufField&)>& found) {
    using WireType = ProtobufField::WireType;
    ByteReader reader(std::as_bytes(std::span(message)), what);
    while (reader.remaining() > 0) {
        const std::uint64_t tag = read_varint(reader, what);
        ProtobufField field;
        field.what_ = what;
        field.number_ = tag >> 3;
        field.type_ = static_cast<WireType>(tag & 7);
        switch (field.type_) {
            case WireType::kVarint:
                field.bits_ = read_varint(reader, what);
                break;
            case WireType::kFixed64:
                field.bits_ = reader.read<std::uint64_t>();
                break;
            case WireType::kFixed32:
                field.bits_ = reader.read<std::uint32_t>();
                break;
            case WireType::kBytes:
                field.bytes_ = reader.take_text(read_varint(reader, what));
                break;
            default:
                throw FormatError(fmt::format("{}: wire type {} does not exist", what, tag & 7),
                                  reader.offset());
        }
        if (field.number_ == 0) throw FormatError(fmt::format("{}: field 0", what), reader.offset());
        found(field);
    }
}

}  // namespace assay
