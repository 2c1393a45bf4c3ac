// Who is it? Codes, MICs, tokens and layer-2 IDs that a key reproduces, and what needs no key at all.
#pragma once

#include "tests/security/search/holdings.h"

namespace prose::security::test {

/// Everything that holdings::grow() added. Keys that fit are noted in `h`.
void try_recognising(holdings& h, const evidence& e, findings& out);
/// Names, public keys, their hashes and fingerprints at any place of any message.
void try_in_the_clear(const evidence& e, findings& out);
/// What shows in two slots links them.
void try_linking(const evidence& e, findings& out);
/// Data in the clear, and records under one keystream; `truth` says what was sent.
void try_data(const evidence& e, findings& out);

}  // namespace prose::security::test
