// A town's figures as a line of JSON, a table and a picture.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "apps/town/town.h"
#include "common/result.h"

namespace prose::apps::town {

/// One JSON object, without a line end. `cost` adds what differs from run to run.
std::string to_line(const town_config& config, const town_result& r, bool cost);

/// What tables and pictures show of one line.
struct town_row {
  std::string town;  ///< name_of
  int tm = 0, ues = 0;
  double density = 0;                     ///< UEs a km^2
  std::map<std::string, double> figures;  ///< by name; NaN where there is none
};
result<town_row> read_line(const std::string& line);

/// Means over the towns of equal TM, number and density, one line each, with the least and the largest value.
std::string table_of(const std::vector<town_row>& rows);
/// Four pictures in one: discovery, links and delivery, losses, the listener. Over density, or over the number of UEs
/// where the density is one.
result<void> plot(const std::string& path, const std::vector<town_row>& rows);

}  // namespace prose::apps::town
