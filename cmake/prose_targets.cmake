# Functions that declare the project's targets the same way everywhere.

# prose_library(NAME SOURCES ... LIBS ...): static library prose_NAME, alias prose::NAME. LIBS are PUBLIC and must follow the
# permitted arrows (docs/architecture.md; scripts/check_arrows checks the includes).
function(prose_library name)
  cmake_parse_arguments(A "" "" "SOURCES;LIBS;PRIVATE_LIBS;OPTIONS" ${ARGN})
  add_library(prose_${name} STATIC ${A_SOURCES})
  add_library(prose::${name} ALIAS prose_${name})
  target_link_libraries(prose_${name} PUBLIC prose_settings prose::common ${A_LIBS} PRIVATE ${A_PRIVATE_LIBS})
  target_compile_options(prose_${name} PRIVATE ${A_OPTIONS})
endfunction()

# prose_app(NAME SOURCES ... LIBS ...): program build/bin/NAME.
function(prose_app name)
  cmake_parse_arguments(A "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${A_SOURCES} $<TARGET_OBJECTS:prose_processor>)
  target_link_libraries(${name} PRIVATE prose_settings prose::common ${A_LIBS})
endfunction()

# prose_test(NAME SOURCES ... LIBS ... LABELS ... [TIMEOUT seconds]): a GoogleTest program, one ctest entry. Its own sources are
# compiled with -O1 in a Release build: the work is in the libraries, and the compiler takes a third less time.
function(prose_test name)
  cmake_parse_arguments(A "" "TIMEOUT" "SOURCES;LIBS;LABELS;ENVIRONMENT" ${ARGN})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 300)
  endif()
  add_executable(${name} ${A_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(${name} PRIVATE prose_settings prose::common ${A_LIBS} GTest::gmock GTest::gtest GTest::gtest_main)
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  target_compile_definitions(${name} PRIVATE PROSE_SHARED_IQ="${PROSE_SHARED_IQ}" PROSE_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
    PROSE_BINARY_DIR="${PROJECT_BINARY_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${A_LABELS}" TIMEOUT ${A_TIMEOUT} ENVIRONMENT "${A_ENVIRONMENT}")
endfunction()

# prose_fuzz(NAME SOURCE file LIBS ...): with PROSE_FUZZ a libFuzzer program; else a program that replays the corpus of
# tests/fuzz/corpus/NAME and a fixed number of seeded mutations of it, run as a ctest.
function(prose_fuzz name)
  cmake_parse_arguments(A "" "SOURCE" "LIBS" ${ARGN})
  add_executable(fuzz_${name} ${A_SOURCE})
  set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  target_link_libraries(fuzz_${name} PRIVATE prose_settings prose::common ${A_LIBS})
  if(PROSE_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cpp)
    add_test(NAME fuzz_${name} COMMAND fuzz_${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(fuzz_${name} PROPERTIES LABELS fuzz TIMEOUT 120)
  endif()
endfunction()
