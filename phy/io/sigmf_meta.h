// SigMF metadata (github.com/sigmf/SigMF, version 1.x): what the receiver needs of it, checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "phy/io/sigmf_annotation.h"

namespace prose::phy {

/// Sample formats that are read and written, little endian, interleaved I and Q.
enum class sigmf_datatype : std::uint8_t { cf32_le, ci16_le };

constexpr std::size_t bytes_per_sample(sigmf_datatype t) { return t == sigmf_datatype::cf32_le ? 8 : 4; }
std::string_view name_of(sigmf_datatype t);
std::optional<sigmf_datatype> sigmf_datatype_from(std::string_view name);

/// One capture segment. A sample counts once for all channels.
struct sigmf_capture {
  std::int64_t sample_start = 0;  ///< index in the data file, whatever the metadata counts from
  std::int64_t header_bytes = 0;  ///< core:header_bytes: right before its first sample, not samples
  std::optional<std::int64_t>
      global_index;  ///< core:global_index, index in the original stream: tells how large a gap was
  std::optional<double> frequency_hz;
  std::string datetime;    ///< ISO 8601, empty when not given
  std::size_t number = 0;  ///< place in the file's list, from 0
};

struct sigmf_meta {
  sigmf_datatype datatype = sigmf_datatype::cf32_le;
  double sample_rate_hz = 0;  ///< 0: not given
  int n_channels = 1;
  std::int64_t offset = 0;  ///< core:offset, stream index of the first sample of the file
  /// What the metadata calls the first sample of the file: SigMF counts from core:offset. 0 where a core:sample_start
  /// below it shows that they are counted from the file.
  std::int64_t first_index = 0;
  std::int64_t trailing_bytes = 0;  ///< core:trailing_bytes, not samples
  std::string dataset;  ///< core:dataset: a data file with a name of its own, in the same folder; empty: the usual name
  std::string sha512;   ///< hexadecimal, empty when not given
  std::string description, hw, author, recorder;
  std::string
      prose;  ///< global keys of the extension "prose", as a JSON object without the prefix; empty: none. Not checked
  std::vector<sigmf_capture>
      captures;  ///< at least one, in order of sample_start; of several with one start the last has the samples
  std::vector<sigmf_annotation> annotations;  ///< to be written; those of a file are not read
  std::vector<double> unplaced_hz;            ///< frequencies of captures that do not say where they begin
  std::vector<std::string>
      remarks;  ///< what is read otherwise than it is written, one line each, without the file's name

  std::size_t bytes_per_frame() const { return bytes_per_sample(datatype) * static_cast<std::size_t>(n_channels); }
};

/// captures: in order. Nothing where the metadata tell none: captures without one, samples before the first capture.
std::optional<double> frequency_at(const std::vector<sigmf_capture>& captures, std::int64_t sample);

inline constexpr int max_sigmf_channels = 64;
inline constexpr std::size_t max_sigmf_meta_bytes = 64U << 20U;

/// `file` names the text in errors; each error is one line with the file and the key.
result<sigmf_meta> parse_sigmf_meta(std::string_view text, const std::string& file);
/// What only the data's length can tell (data_bytes: of the data file, less core:trailing_bytes): captures without
/// samples are left out with a remark. Gives the number of whole samples, which may be 0. An error when there are
/// samples, but none belongs to a capture.
result<std::int64_t> fit_to_length(sigmf_meta& meta, std::int64_t data_bytes, const std::string& file);
std::string to_json_text(const sigmf_meta& meta);

/// "x.sigmf-meta", "x.sigmf-data" or "x" -> the two file names.
struct sigmf_paths {
  std::string meta, data;
};
sigmf_paths sigmf_paths_of(const std::string& path);
/// The two file names of a recording that is to be written; an error where no recording can have this name.
result<sigmf_paths> sigmf_output_paths(const std::string& path);
/// "x.sigmf": a tar archive that holds both files.
bool is_sigmf_archive_name(const std::string& path);

/// A recording in an archive.
struct sigmf_archive_path {
  std::string archive;    ///< x.sigmf
  std::string recording;  ///< its name there, without suffix; empty: the only one
};
/// "x.sigmf" or "x.sigmf/NAME" where x.sigmf is no folder; nothing for other paths.
std::optional<sigmf_archive_path> sigmf_archive_of(const std::string& path);

}  // namespace prose::phy
