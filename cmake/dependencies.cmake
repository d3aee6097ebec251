# System packages only; tools/debian-packages.txt is the list that set-up installs.
find_package(Threads REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
find_package(GTest REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc data)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(Python3 REQUIRED COMPONENTS Interpreter)
find_library(PCRE2_LIBRARY pcre2-8 REQUIRED)

# Debian's dnnl-config.cmake asks for OpenCL, which the CPU build does not need: find it by hand.
find_path(DNNL_INCLUDE_DIR dnnl.hpp REQUIRED)
find_library(DNNL_LIBRARY dnnl REQUIRED)
# libdnnl runs on libgomp; our worker threads pin it to one thread each through this same library.
find_library(GOMP_LIBRARY NAMES libgomp.so.1 REQUIRED)

