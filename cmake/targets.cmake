# One helper per kind of target; all compile and link flags live on one interface target.
include(GoogleTest)

add_library(assay_flags INTERFACE)
target_compile_features(assay_flags INTERFACE cxx_std_20)
# x86-64-v3 (AVX2, FMA, F16C) is the least machine; AVX-512 kernels are chosen at run time.
# No contraction: a*b+c rounds twice everywhere but in the named kernel files, so bits do not depend on the compiler.
target_compile_options(assay_flags INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wno-sign-conversion
    -Wno-missing-field-initializers -Werror
    $<$<COMPILE_LANGUAGE:CXX>:-march=x86-64-v3 -ffp-contract=off>)
# GCC 12 warns of overlapping copies inside its own std::string (its bug 105651).
target_compile_options(assay_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
target_include_directories(assay_flags INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(assay_flags INTERFACE ASSAY_VERSION="${PROJECT_VERSION}")
if(ASSAY_SANITIZE)
  target_compile_options(assay_flags INTERFACE -fsanitize=${ASSAY_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(assay_flags INTERFACE -fsanitize=${ASSAY_SANITIZE})
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES Clang OR NOT ASSAY_SANITIZE)
  target_link_options(assay_flags INTERFACE -fuse-ld=lld)
endif()

set(test_optimization -O1)
if(ASSAY_SANITIZE)
  set(test_optimization -O0)
endif()

# assay_module(NAME USES... [LIBS...]): folder NAME becomes library assay_NAME; its *_test.cpp become NAME_test.
function(assay_module name)
  cmake_parse_arguments(arg "" "" "USES;LIBS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${name}/*.cpp ${name}/*.S)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$|/main\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(TRANSFORM arg_USES PREPEND assay_ OUTPUT_VARIABLE uses)
  add_library(assay_${name} STATIC ${sources})
  target_link_libraries(assay_${name} PUBLIC assay_flags ${uses} ${arg_LIBS} Threads::Threads)
  if(tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE assay_${name} GTest::gmock GTest::gtest_main)
    # Half of a build is tests: little optimization, none where sanitizers make it dear; and no path of this checkout, so
    # that ccache serves others, too.
    target_compile_options(${name}_test PRIVATE ${test_optimization})
    target_compile_definitions(${name}_test PRIVATE ASSAY_TEST_DATA="tests/data")
    assay_discover_tests(${name} unit -*.Slow*:*/Slow*:Slow*)
    assay_discover_tests(${name} slow *.Slow*:*/Slow*:Slow*)
  endif()
endfunction()

# Tests of NAME_test that match the filter get the label: `slow` those of a suite or test whose name begins with Slow.
function(assay_discover_tests name label filter)
  gtest_discover_tests(${name}_test TEST_PREFIX ${name}. TEST_FILTER ${filter} TEST_LIST ${name}_${label}_tests
      DISCOVERY_TIMEOUT 60 WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} PROPERTIES LABELS ${label})
endfunction()

# assay_fuzzer(NAME USES...): fuzz/NAME.cpp; a libFuzzer binary with ASSAY_FUZZERS, and always a corpus replay test.
function(assay_fuzzer name)
  cmake_parse_arguments(arg "" "" "USES" ${ARGN})
  list(TRANSFORM arg_USES PREPEND assay_ OUTPUT_VARIABLE uses)
  if(ASSAY_FUZZERS)
    add_executable(${name} ${name}.cpp)
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(${name} PRIVATE ${uses})
  endif()
  add_executable(${name}_replay ${name}.cpp replay_main.cpp)
  target_link_libraries(${name}_replay PRIVATE ${uses})
  add_test(NAME fuzz_corpus.${name} COMMAND ${name}_replay ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
  set_tests_properties(fuzz_corpus.${name} PROPERTIES LABELS unit)
endfunction()
