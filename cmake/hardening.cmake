# What makes a mistake in our code harder to use. Everything of it is here; tests/apps/hardened_test.py reads it off the programs.
option(PROSE_HARDENED "Stack protector, fortified library calls, position-independent programs, read-only relocations" ON)
if(PROSE_HARDENED)
  include(CheckPIESupported)
  check_pie_supported(LANGUAGES CXX)  # links programs with -pie
  target_compile_options(prose_settings INTERFACE -fstack-protector-strong)
  target_link_options(prose_settings INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
  if(NOT PROSE_SANITIZE AND NOT PROSE_FUZZ)  # the sanitizers' own checks of these calls would be bypassed
    # Level 3 since gcc 12. Without optimisation glibc only warns.
    set(level $<IF:$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_GREATER_EQUAL:$<CXX_COMPILER_VERSION>,12>>,3,2>)
    target_compile_options(prose_settings INTERFACE $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>
      $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=${level}>)
  endif()
endif()
