// Block error rates of one transmission over SNR, as prose-bler measured them (curves.csv; scripts/town_curves makes
// it).
#pragma once

#include <string_view>
#include <vector>

#include "common/result.h"

namespace prose::apps::town {

enum class channel : unsigned char { psdch, pscch, pssch };

class curve_table {
public:
  /// An error names the line.
  static result<curve_table> parse(std::string_view csv);
  /// The table that is part of the program.
  static const curve_table& built_in();

  /// snr_db: E_s/N_0 of a used resource element. 0..1; straight lines of the rate between measured points, 1 below the
  /// first and 0 above the last. Of PSSCH, the curve of the nearest number of PRBs; its MCS is that of the table.
  double error_rate(channel c, int tm, int n_prb, double snr_db) const;

private:
  struct curve {
    channel of;
    int tm, n_prb;
    std::vector<double> snr_db, rate;  ///< ascending; descending
  };
  std::vector<curve> curves_;
};

}  // namespace prose::apps::town
