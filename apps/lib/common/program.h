// What surrounds every program's own main.
#pragma once

namespace prose::apps {

/// Runs body(argc, argv) and gives its exit code back. Before it: descriptors 0 to 2 that are closed are opened on
/// /dev/null, so that no file or socket of the program's gets their number and then its log or results; HOME is set
/// where it is not (UHD needs it). Afterwards: results that standard output did not take are an error. An exception is
/// one line on stderr and exit 1.
int run_program(const char* name, int (*body)(int, char**), int argc, char** argv);

}  // namespace prose::apps
