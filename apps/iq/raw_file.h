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

/// SigMF or raw? By the name: .sigmf-meta and .sigmf-data are SigMF.
bool is_sigmf_name(const std::string& path);
/// cf32 or cf32_le, ci16 or ci16_le, and the names that other programs use (fc32, sc16).
std::optional<phy::sigmf_datatype> datatype_of(const std::string& word);

class raw_source final : public phy::sample_source {
 public:
  static result<std::unique_ptr<raw_source>> open(const std::string& path, phy::sigmf_datatype type, double rate_hz, int n_channels);
  double sample_rate_hz() const override { return rate_hz_; }
  int n_antennas() const override { return n_channels_; }
  result<phy::read_status> read(std::span<const std::span<phy::cf32>> out) override;

 private:
  raw_source() = default;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{nullptr, &std::fclose};
  std::string path_;
  phy::sigmf_datatype type_ = phy::sigmf_datatype::cf32_le;
  double rate_hz_ = 0;
  int n_channels_ = 1;
  std::int64_t position_ = 0;
  std::vector<std::uint8_t> block_;
};

/// Interleaved samples without metadata.
class raw_sink {
 public:
  static result<std::unique_ptr<raw_sink>> open(const std::string& path, phy::sigmf_datatype type);
  result<void> write(std::span<const std::span<const phy::cf32>> in);
  result<void> finish();

 private:
  raw_sink() = default;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{nullptr, &std::fclose};
  std::string path_;
  phy::sigmf_datatype type_ = phy::sigmf_datatype::cf32_le;
  std::vector<std::uint8_t> block_;
};

}  // namespace prose::apps
