// Ctrl-C (SIGINT), SIGTERM and the terminal's end (SIGHUP, unless ignored) ask a program to end; a second Ctrl-C or
// SIGTERM ends it at once. A program that has last words (hurry_handler) is asked a second time too, and ended by the
// third.
#pragma once

namespace prose::apps {

void install_stop_handler();
/// The second Ctrl-C or SIGTERM, and SIGQUIT, only set hurry_requested().
void install_hurry_handler();
bool stop_requested() noexcept;
/// No goodbyes: the program is to end now.
bool hurry_requested() noexcept;
/// What was asked so far is done: the next Ctrl-C asks for something else to end.
void clear_stop();
/// For a server: from now on SIGHUP does not ask it to end, even if it was ignored, but to read its configuration
/// again.
void take_hangups();
/// Whether that was asked since the last call.
bool hangup_taken() noexcept;
/// For a program that ends itself, and for tests.
void request_stop() noexcept;

}  // namespace prose::apps
