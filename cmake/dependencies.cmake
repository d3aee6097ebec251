# System packages only; tools/debian-packages.txt is the list that set-up installs.
find_package(Threads REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Boost CONFIG REQUIRED)
find_package(GTest REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc data)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(Python3 REQUIRED COMPONENTS Interpreter)
find_library(PCRE2_LIBRARY pcre2-8 REQUIRED)
# The oracle of the tokenizer.model tests only.
find_library(SENTENCEPIECE_LIBRARY sentencepiece REQUIRED)
