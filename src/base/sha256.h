// SHA-256 of bytes and files, for input hashes in results and for comparing with recorded goldens.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace assay {

class Sha256 {
  public:
    Sha256();
    ~Sha256();
    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;

    void update(std::span<const std::byte> bytes);
    // Lower-case hex of all bytes given so far. Call once.
    std::string hex();

  private:
    struct Context;
    std::unique_ptr<Context> context_;
};

// Lower-case hex of the SHA-256 of `bytes`.
std::string sha256_hex(std::span<const std::byte> bytes);

}  // namespace assay
