// A SigMF recording as a source of samples. Streams: memory does not depend on the length of the recording.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "phy/io/sigmf_meta.h"
#include "phy/io/tar_list.h"
#include "phy/types/sample_source.h"

namespace prose::phy {

struct sigmf_open_options {
  double rate_hz = 0;         ///< of a recording that does not say it; 0: not known
  bool rate_required = true;  ///< else sample_rate_hz() may be 0
  bool keep_text = false;     ///< meta_text()
};

/// A read never crosses a capture segment: a new segment starts with gap_before, unless core:global_index says that no
/// sample is missing and the frequency stays. NaN and infinite samples are passed on as they are; see zero_non_finite.
class sigmf_reader final : public sample_source {
public:
  /// Takes x.sigmf-meta, x.sigmf-data or x, or an archive of one recording, x.sigmf; of several, x.sigmf/NAME.
  static result<std::unique_ptr<sigmf_reader>> open(const std::string& path, sigmf_open_options options = {});

  double sample_rate_hz() const override { return meta_.sample_rate_hz; }
  int n_antennas() const override { return meta_.n_channels; }
  result<read_status> read(std::span<const std::span<cf32>> out) override;

  const sigmf_meta& meta() const { return meta_; }
  const std::string& meta_path() const { return meta_path_; }
  const std::string& data_path() const { return data_path_; }
  /// Of the data within data_path().
  std::int64_t data_begin() const { return data_begin_; }
  std::int64_t data_bytes() const { return data_bytes_; }
  const std::string& meta_text() const { return meta_text_; }
  std::int64_t n_samples() const { return n_samples_; }
  /// Bytes after the last whole sample, which are ignored.
  std::int64_t partial_bytes() const { return partial_bytes_; }
  std::int64_t position() const { return position_; }
  /// 0 <= sample <= n_samples().
  result<void> seek(std::int64_t sample);
  /// Stream index (tick) of a sample of the file, and back. Ticks that fell into a gap give the first sample after it.
  std::int64_t tick_of(std::int64_t sample) const;
  std::int64_t sample_of(std::int64_t tick) const;
  bool gap_before_segment(std::size_t capture) const { return segments_[capture].gap; }

private:
  struct segment {
    std::int64_t start, end;  ///< samples of the file
    std::int64_t tick;        ///< of start
    bool gap;
    std::int64_t headers;  ///< bytes of core:header_bytes in front of start, in all
  };
  sigmf_reader() = default;
  result<std::string> find_in_folder(const std::string& path);
  result<std::string> find_in_archive(const sigmf_archive_path& path);
  result<void> list_archive(const std::string& path);
  result<const tar_member*> choose(const sigmf_archive_path& path);
  result<void> check_head();
  result<void> measure_data();
  result<void> find_data();
  void lay_out_segments();
  std::size_t segment_at(std::int64_t sample) const;

  sigmf_meta meta_;
  std::string meta_path_, data_path_, meta_text_, stem_;
  std::vector<tar_member> members_;  ///< of an archive
  std::int64_t data_begin_ = 0, data_bytes_ = 0;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{nullptr, &std::fclose};
  std::vector<segment> segments_;
  std::vector<std::uint8_t> block_;
  std::int64_t n_samples_ = 0, partial_bytes_ = 0, position_ = 0;
};

/// Sets samples with a NaN, an infinite or an absurdly large part (above 1e12; full scale is 1, and the squares of
/// larger values leave the range of float) to zero; gives their number. Receivers call it where samples come in.
std::size_t zero_non_finite(std::span<cf32> samples);

}  // namespace prose::phy
