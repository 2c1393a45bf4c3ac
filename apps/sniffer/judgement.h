// The verdict over what is captured, and the reports on it.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "apps/lib/listen/capture.h"
#include "apps/lib/listen/hearing_of.h"
#include "apps/lib/listen/settings.h"
#include "apps/lib/verdict/verdict.h"
#include "apps/sniffer/report_page.h"

namespace prose::apps {

/// The verdict's figures, its transmitters, and last the verdict itself, as events.
std::vector<event> events_of(const verdict& v, double t_s);

class judgement {
public:
  /// Null if neither a verdict nor a report is asked for. Stolen files are read now, so that a mistake is told before
  /// anything runs.
  static result<std::unique_ptr<judgement>> make(const sniffer_settings& s);
  /// A page is among the reports.
  bool makes_page() const { return page_.has_value(); }
  capture_observer observer();
  /// Writes the reports. Stolen files are read again: the key log of a UE that was still running has grown. One that
  /// can no longer be read counts as it was at the start, and `remark` says so.
  result<verdict> finish(const capture_result& captured, const page_facts& facts, std::string& remark);

private:
  explicit judgement(const sniffer_settings& s) : settings_(s) {}
  const sniffer_settings& settings_;
  std::shared_ptr<std::vector<stolen_file>> stolen_ = std::make_shared<std::vector<stolen_file>>();
  std::optional<analysis> analysis_;
  std::optional<report_page> page_;
};

}  // namespace prose::apps
