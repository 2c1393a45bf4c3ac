# The instruction sets that the compiler uses with -march=native, as lines PROSE_NEEDS("avx2") for apps/lib/common/processor.cpp. Only those that both gcc 12
# and clang 14 can ask the processor for.
set(needs "")
if(PROSE_NATIVE AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  execute_process(COMMAND ${CMAKE_CXX_COMPILER} -march=native -dM -E -x c++ /dev/null OUTPUT_VARIABLE macros ERROR_QUIET)
  foreach(name ssse3 sse4.1 sse4.2 popcnt avx avx2 fma bmi bmi2 avx512f avx512vl avx512bw avx512dq avx512cd avx512vbmi avx512ifma avx512vbmi2 avx512bitalg
      avx512vpopcntdq avx512vnni gfni)
    string(TOUPPER ${name} macro)
    string(REPLACE "." "_" macro ${macro})
    if(macros MATCHES "#define __${macro}__ ")
      string(APPEND needs "PROSE_NEEDS(\"${name}\")\n")
    endif()
  endforeach()
endif()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/processor/processor_needs.inc CONTENT "${needs}" @ONLY)
