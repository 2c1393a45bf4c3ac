// What a report says of its input: where the samples came from, and how they were judged.
#pragma once

#include <future>
#include <string>
#include <vector>

#include "apps/lib/listen/settings.h"
#include "phy/io/sigmf_reader.h"

namespace prose::apps {

struct page_facts {
  std::string source;   ///< file or device
  bool live = false;    ///< a device
  std::string carrier;  ///< in words
  double sample_rate_hz = 0;
  double seconds = 0;        ///< of signal
  double frequency_hz = 0;   ///< 0: not told
  std::string transmitters;  ///< a table as text
  std::string recorded;      ///< core:datetime of a recording
  std::string judged;        ///< now, UTC
  std::string version;       ///< of the program, with its commit
  std::string command;       ///< shown_command()
  std::string digest;        ///< SHA-256 of the recording's samples, or why there is none
};

/// A command line as a shell reads it. What follows --compromised, --keylog, --known-plaintext and --name is left out:
/// names of persons, and places of keys.
std::string shown_command(const std::vector<std::string>& arguments);

/// What the settings and the recording tell. recording: null for a radio.
page_facts facts_of(const sniffer_settings& s, const phy::sigmf_reader* recording);

/// SHA-256 of a recording's samples, in a thread of its own while they are decoded. Ctrl-C ends it.
std::future<std::string> start_digest(const phy::sigmf_reader& recording);

}  // namespace prose::apps
