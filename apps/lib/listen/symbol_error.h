// How far an equalised symbol lies from where it should.
#pragma once

#include "phy/types/cf32.h"

namespace prose::apps {

/// Squared distance of a symbol to the nearest point of QPSK, 16QAM or 64QAM (2, 4, 6 bits a symbol) of mean power 1
/// (TS 36.211 7.1). The mean of it over symbols is the square of their EVM.
double symbol_error(phy::cf32 symbol, int bits);

}  // namespace prose::apps
