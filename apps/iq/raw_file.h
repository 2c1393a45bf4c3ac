// Raw sample files without metadata, as a sample source.
#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "phy/io/sigmf_meta.h"
#include "phy/types/sample_source.h"

namespace prose::apps {

/// SigMF or raw? By the name: .sigmf-meta and .sigmf-data are SigMF, .sigmf is an archive of both.
bool is_sigmf_name(const std::string& path);
bool is_sigmf_archive_name(const std::string& path);
/// As an input: also a recording within an archive, x.sigmf/NAME.
bool is_recording(const std::string& path);
/// cf32 or cf32_le, ci16 or ci16_le, and the names that other programs use (fc32, sc16).
std::optional<phy::sigmf_datatype> datatype_of(const std::string& word);

/// Archives, sound files, texts and pointers are refused.
class raw_source final : public phy::sample_source {
public:
  static result<std::unique_ptr<raw_source>> open(const std::string& path, phy::sigmf_datatype type, double rate_hz,
                                                  int n_channels);
  double sample_rate_hz() const override { return rate_hz_; }
  int n_antennas() const override { return n_channels_; }
  result<phy::read_status> read(std::span<const std::span<phy::cf32>> out) override;
  /// By the size of the file; negative: a pipe.
  std::int64_t n_samples() const { return n_samples_; }
  /// After the last whole sample, once the end was read.
  std::int64_t partial_bytes() const { return partial_bytes_; }

private:
  raw_source() = default;
  std::size_t take(std::span<std::uint8_t> to);

  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{nullptr, &std::fclose};
  std::string path_;
  phy::sigmf_datatype type_ = phy::sigmf_datatype::cf32_le;
  double rate_hz_ = 0;
  int n_channels_ = 1;
  std::int64_t position_ = 0, n_samples_ = -1, partial_bytes_ = 0;
  std::vector<std::uint8_t> head_;  ///< what was looked at and is still to be read: a pipe gives it once
  std::size_t head_at_ = 0;
  std::vector<std::uint8_t> block_;
};

}  // namespace prose::apps
