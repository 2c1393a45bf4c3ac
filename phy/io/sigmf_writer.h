// Writes a SigMF recording as the samples come, with a capture segment after every gap.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "phy/io/sigmf_meta.h"
#include "phy/types/cf32.h"

namespace prose::phy {

struct sigmf_writer_config {
  std::string path = {};  ///< x.sigmf-meta, x.sigmf-data or x
  sigmf_datatype datatype = sigmf_datatype::cf32_le;
  double sample_rate_hz = 0;
  int n_channels = 1;
  std::optional<double> frequency_hz = {};  ///< of the first samples; sigmf_writer::set_frequency()
  std::string description = {}, hw = {}, recorder = {};
  std::string prose = {};           ///< as sigmf_meta::prose
  std::string start_datetime = {};  ///< ISO 8601 of the first sample, may be empty
  std::uint64_t max_bytes = 0;      ///< of the data file; 0: no limit
  /// Called with every octet that reached the file, in order (a checksum lives in the program, not here).
  std::function<void(std::span<const std::uint8_t>)> on_bytes = {};
};

enum class write_stop : std::uint8_t { none, size_limit, disk_full };

/// The data file always holds whole samples, and the metadata on disk is complete after every call, so a recording that
/// ends in any way (size limit, full disk, kill) can be read up to its last whole block. core:global_index carries the
/// tick of each segment.
class sigmf_writer {
public:
  static result<std::unique_ptr<sigmf_writer>> make(sigmf_writer_config config);
  ~sigmf_writer();
  sigmf_writer(const sigmf_writer&) = delete;
  sigmf_writer& operator=(const sigmf_writer&) = delete;

  /// Of the samples that follow; a change of it starts a new segment.
  void set_frequency(std::optional<double> hz) { config_.frequency_hz = hz; }
  /// in[c]: the samples of channel c, all of one length; first_tick counts samples. A tick that does not follow the
  /// samples before it starts a new segment, as does gap_before. After a stop nothing more is written.
  result<write_stop> write(std::span<const std::span<const cf32>> in, std::int64_t first_tick, bool gap_before = false);
  /// Completes the metadata. sha512 may be empty; of the annotations those stay that lie within the samples. On a full
  /// disk the metadata written before stays and an error tells it.
  result<void> finish(const std::string& sha512 = {}, std::vector<sigmf_annotation> annotations = {});

  /// sigmf_meta::prose, where it shows only while samples come; finish() writes it.
  void set_prose(std::string text) { meta_.prose = std::move(text); }

  std::int64_t n_samples() const { return n_samples_; }
  std::size_t n_segments() const { return meta_.captures.size(); }
  /// Samples beyond the range of ci16_le, which were clipped, and NaNs, which became 0.
  std::uint64_t n_clipped() const { return n_clipped_; }
  const sigmf_paths& paths() const { return paths_; }

private:
  sigmf_writer() = default;
  result<void> save_meta();
  result<write_stop> put(std::size_t n_bytes);

  sigmf_writer_config config_;
  sigmf_paths paths_;
  sigmf_meta meta_;
  int fd_ = -1, save_errno_ = 0;
  std::vector<std::uint8_t> block_;
  std::int64_t n_samples_ = 0, next_tick_ = 0;
  std::uint64_t n_clipped_ = 0;
  write_stop stopped_ = write_stop::none;
};

}  // namespace prose::phy
