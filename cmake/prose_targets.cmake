# Functions that declare the project's targets the same way everywhere.

# For what runs once or waits for others, and for tests, whose work is in the libraries: a fifth less to compile in a Release build.
set(PROSE_COLD $<$<CONFIG:Release>:-O1>)

# prose_library(NAME SOURCES ... LIBS ...): static library prose_NAME, alias prose::NAME. LIBS are PUBLIC and must follow the
# permitted arrows (docs/architecture.md; scripts/check_arrows checks the includes).
function(prose_library name)
  cmake_parse_arguments(A "" "" "SOURCES;LIBS;PRIVATE_LIBS;OPTIONS" ${ARGN})
  add_library(prose_${name} STATIC ${A_SOURCES})
  add_library(prose::${name} ALIAS prose_${name})
  # The settings are those of this build: a user of the installed library has his own.
  target_link_libraries(prose_${name} PUBLIC $<BUILD_INTERFACE:prose_settings> prose::common ${A_LIBS} PRIVATE ${A_PRIVATE_LIBS})
  target_compile_options(prose_${name} PRIVATE ${A_OPTIONS})
endfunction()

# prose_embed(VARIABLE NAMESPACE a::b FILES ...): sets VARIABLE to a source file, made when one of the files changes, which defines each file's text as
# `const std::string_view NAME` with NAME as report_html for report.html.
function(prose_embed variable)
  cmake_parse_arguments(A "" "NAMESPACE" "FILES" ${ARGN})
  set(made ${CMAKE_CURRENT_BINARY_DIR}/${variable}.cpp)
  list(TRANSFORM A_FILES PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/ OUTPUT_VARIABLE files)
  list(JOIN files "|" listed)
  add_custom_command(OUTPUT ${made} DEPENDS ${files} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake VERBATIM
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${made} -DNAMESPACE=${A_NAMESPACE} -DFILES=${listed} -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake)
  set(${variable} ${made} PARENT_SCOPE)
endfunction()

# prose_app(NAME SOURCES ... LIBS ...): program build/bin/NAME.
function(prose_app name)
  cmake_parse_arguments(A "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${A_SOURCES} $<TARGET_OBJECTS:prose_processor> $<TARGET_OBJECTS:prose_commit>)
  target_link_libraries(${name} PRIVATE prose_settings prose::common ${A_LIBS})
  target_compile_options(${name} PRIVATE ${PROSE_COLD})
  add_dependencies(programs ${name})
  set_property(GLOBAL APPEND PROPERTY PROSE_PROGRAMS ${name})
endfunction()

# prose_test_paths.h tells a test where the source, the build and the recordings are. It is a header, not definitions: a file that does not need it
# compiles to the same object in every checkout, which is what a compiler cache can share.
set(PROSE_TEST_PATHS ${PROJECT_BINARY_DIR}/generated/tests)
configure_file(${PROJECT_SOURCE_DIR}/cmake/prose_test_paths.h.in ${PROSE_TEST_PATHS}/prose_test_paths.h @ONLY)

# prose_test_program(NAME SOURCES ... LIBS ...): a GoogleTest program build/tests/NAME.
function(prose_test_program name)
  cmake_parse_arguments(A "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(${name} PRIVATE prose_settings prose::common ${A_LIBS} GTest::gmock GTest::gtest)
  target_compile_options(${name} PRIVATE ${PROSE_COLD})
  target_include_directories(${name} PRIVATE ${PROSE_TEST_PATHS})
endfunction()

# Targets that build several things: what a user has or a script of the tests starts; every unit test; what scripts/test --sanitized builds.
add_custom_target(programs)
add_custom_target(unit_tests)
add_custom_target(sanitized_tests)
add_custom_target(fuzz_targets)

# prose_test(NAME SOURCES ... LIBS ... LABELS ... [TIMEOUT seconds]): such a program with GoogleTest's main. It is one ctest entry, because its
# cases share an expensive set-up; NAME/SUITE.CASE, with the label `case`, runs a single one and is left out of a normal run. ENVIRONMENT holds one
# variable at most, for CMake passes no list on to the cases. A test with no label but those of folders is a unit test as well: label `unit`.
function(prose_test name)
  cmake_parse_arguments(A "" "TIMEOUT" "SOURCES;LIBS;LABELS;ENVIRONMENT" ${ARGN})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 300)
  endif()
  prose_test_program(${name} SOURCES ${A_SOURCES} LIBS ${A_LIBS} GTest::gtest_main)
  set(others ${A_LABELS})
  list(REMOVE_ITEM others common phy mac security radio)
  if(NOT others)
    list(APPEND A_LABELS unit)
    add_dependencies(unit_tests ${name})
    if(PROSE_FUZZ AND A_LABELS MATCHES "phy|mac|security")
      list(APPEND A_LABELS sanitized)
      add_dependencies(sanitized_tests ${name})
    endif()
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${A_LABELS}" TIMEOUT ${A_TIMEOUT} ENVIRONMENT "${A_ENVIRONMENT}")
  set(of_case LABELS case TIMEOUT ${A_TIMEOUT})
  if(A_ENVIRONMENT)
    list(APPEND of_case ENVIRONMENT "${A_ENVIRONMENT}")
  endif()
  gtest_discover_tests(${name} TEST_PREFIX ${name}/ DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 PROPERTIES ${of_case})
endfunction()

# prose_python_test(NAME MODULE LABELS ... [TIMEOUT seconds] [ENVIRONMENT ...] [ARGS ...]): a Python module, started from the source root; one ctest
# entry. tests/harness/paths.py reads the environment. Exit code 77: skipped.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
function(prose_python_test name module)
  cmake_parse_arguments(A "" "TIMEOUT" "LABELS;ENVIRONMENT;ARGS" ${ARGN})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 300)
  endif()
  add_test(NAME ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} COMMAND Python3::Interpreter -B -m ${module} ${A_ARGS})
  set_tests_properties(${name} PROPERTIES LABELS "${A_LABELS}" TIMEOUT ${A_TIMEOUT} SKIP_RETURN_CODE 77
    ENVIRONMENT "PROSE_BUILD_DIR=${PROJECT_BINARY_DIR};PROSE_SHARED_IQ=${PROSE_SHARED_IQ};${A_ENVIRONMENT}")
endfunction()

# prose_fuzz(NAME SOURCE file LIBS ...): with PROSE_FUZZ a libFuzzer program; else a program that replays the corpus of
# tests/fuzz/corpus/NAME and a fixed number of seeded mutations of it, run as a ctest.
function(prose_fuzz name)
  cmake_parse_arguments(A "" "SOURCE" "LIBS" ${ARGN})
  add_executable(fuzz_${name} ${A_SOURCE})
  set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  target_link_libraries(fuzz_${name} PRIVATE prose_settings prose::common ${A_LIBS})
  add_dependencies(fuzz_targets fuzz_${name})
  if(PROSE_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    # Each input of the corpus once.
    add_test(NAME fuzz_${name} COMMAND fuzz_${name} -runs=0 ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  else()
    target_link_libraries(fuzz_${name} PRIVATE fuzz_replay)
    add_test(NAME fuzz_${name} COMMAND fuzz_${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  endif()
  set_tests_properties(fuzz_${name} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()
