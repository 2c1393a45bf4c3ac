// The running UE: radio -> modem -> MAC -> modem -> radio, one subframe after another, and the data, events and metrics
// around it.
#pragma once

#include <memory>

#include "apps/ue/program_config.h"
#include "common/result.h"

namespace prose::apps {

class ue_program {
public:
  /// Opens keys, radio, data port; the error is one line.
  static result<std::unique_ptr<ue_program>> make(const program_config& config);
  /// --check: as make(), without radio, data port and servers. look_only() comes first.
  static result<void> check(const program_config& config);
  ~ue_program();
  /// Until the duration is over or a stop is requested. Releases the links before it ends.
  result<void> run();

private:
  class loop;
  explicit ue_program(std::unique_ptr<loop> l);
  std::unique_ptr<loop> loop_;
};

}  // namespace prose::apps
