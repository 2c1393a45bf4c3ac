#include "phy/channels/channel_mapper.h"

#include <cassert>

#include "phy/channels/modulation.h"
#include "phy/scfdma/dmrs_table.h"

namespace prose::phy {
namespace {

// Column `column` of the interleaver is what one symbol carries; reading it straight from the coded bits saves the
// copy.
template <int q_m>
void modulate_column(std::span<const std::uint8_t> coded, std::span<const std::uint8_t> scrambling, int n_columns,
                     int column, std::span<cf32> out) {
  const std::size_t stride = n_columns * q_m;
  const std::uint8_t* in = coded.data() + static_cast<std::size_t>(column * q_m);
  const std::uint8_t* c = scrambling.data() + static_cast<std::size_t>(column) * out.size() * q_m;
  for (auto& symbol : out) {
    std::uint8_t b[q_m];
    for (std::size_t i = 0; i < q_m; ++i) b[i] = in[i] ^ c[i];
    symbol = modulate_symbol<q_m>(b);
    in += stride;
    c += q_m;
  }
}

}  // namespace

subcarrier_set subcarriers_of_prbs(int first_prb, int n_prb) {
  return {.first = first_prb * subcarriers_per_prb, .length = n_prb * subcarriers_per_prb};
}

channel_mapper::channel_mapper(const carrier_config& c)
    : carrier_(c), precoder_(fft_direction::forward, c.n_prb), symbol_(c.n_subcarriers()) {
  base_sequence(0, 1);  // the table of DMRS base sequences is made here, not in the first subframe
}

int channel_mapper::n_columns(const mapping& m) const {
  return symbols_of(m.channel, carrier_.cp, carrier_.tm).n_data - (m.last_symbol_rate_matched ? 1 : 0);
}

std::uint32_t channel_mapper::map(const mapping& m, std::span<const std::uint8_t> coded,
                                  std::span<const std::uint8_t> scrambling, const dmrs_params& dmrs,
                                  resource_grid& grid) noexcept {
  assert(coded.size() == static_cast<std::size_t>(n_coded_bits(m)) && scrambling.size() >= coded.size());
  const symbol_map& symbols = symbols_of(m.channel, carrier_.cp, carrier_.tm);
  const std::span<cf32> work(symbol_.data(), static_cast<std::size_t>(m.where.length));
  const int columns = n_columns(m);
  std::uint32_t used = 0;
  for (int column = 0; column < symbols.n_data - 1; ++column) {  // the last symbol is never sent
    if (m.modulation_order == 2) modulate_column<2>(coded, scrambling, columns, column, work);
    if (m.modulation_order == 4) modulate_column<4>(coded, scrambling, columns, column, work);
    if (m.modulation_order == 6) modulate_column<6>(coded, scrambling, columns, column, work);
    precoder_.execute(work, work);
    const int l = symbols.data[column];
    add(m.where, work, m.amplitude, grid.symbol(l));
    used |= 1U << l;
  }
  for (int i = 0; i < symbols.n_dmrs; ++i) {
    const int l = symbols.dmrs[i];
    dmrs_sequence(dmrs, i, work);
    add(m.where, work, m.amplitude, grid.symbol(l));
    used |= 1U << l;
  }
  return used;
}

void channel_mapper::add(const subcarrier_set& where, std::span<const cf32> values, float amplitude,
                         std::span<cf32> symbol) noexcept {
  const int split = where.split == 0 ? where.length : where.split;
  for (int i = 0; i < split; ++i) symbol[where.first + i] += values[i] * amplitude;
  for (int i = split; i < where.length; ++i) symbol[where.second + i - split] += values[i] * amplitude;
}

}  // namespace prose::phy
