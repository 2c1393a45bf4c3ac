# The commit that the programs tell with --version: cmake -DSOURCE=... -DOUTPUT=commit.cpp -P commit.cmake. A tarball of `git archive` has it in
# commit.txt. A checkout asks git; files that differ from the commit are told by "+changes". Else it is unknown.
file(STRINGS ${SOURCE}/cmake/commit.txt commit LIMIT_COUNT 1)
if(NOT commit MATCHES "^[0-9a-f]+$")
  set(commit "")
  if(EXISTS ${SOURCE}/.git)  # not that of a checkout around a tarball
    execute_process(COMMAND git --no-optional-locks describe --always --match= --abbrev=40 --dirty=+changes WORKING_DIRECTORY ${SOURCE}
      OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "extern const char* const prose_commit;\nconst char* const prose_commit = \"${commit}\";\n" @ONLY)
