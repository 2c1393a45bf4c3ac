// A recording as a source of samples, read once or several times over.
#pragma once

#include <memory>
#include <utility>

#include "phy/io/sigmf_reader.h"

namespace prose::apps {

class file_source final : public phy::sample_source {
public:
  /// The reader may also be looked at by others; its position is this object's.
  file_source(std::shared_ptr<phy::sigmf_reader> reader, int rounds) : reader_(std::move(reader)), rounds_(rounds) {}
  double sample_rate_hz() const override { return reader_->sample_rate_hz(); }
  int n_antennas() const override { return reader_->n_antennas(); }
  const phy::sigmf_reader& reader() const { return *reader_; }
  /// Of all rounds.
  std::int64_t n_samples() const { return reader_->n_samples() * rounds_; }
  int n_rounds() const { return rounds_; }

  /// The ticks go on from round to round; a round begins with gap_before.
  result<phy::read_status> read(std::span<const std::span<phy::cf32>> out) override {
    const bool fresh = std::exchange(rewind_, false);
    auto status = reader_->read(out);
    if (!status) return status;
    status->first_tick += shift_;
    status->gap_before = status->gap_before || fresh;
    if (status->end && ++round_ < rounds_) {
      const std::int64_t next = status->first_tick + static_cast<std::int64_t>(status->n_samples);
      if (auto ok = reader_->seek(0); !ok) return tl::unexpected(ok.error());
      shift_ = next - reader_->tick_of(0);
      status->end = false;
      rewind_ = true;
    }
    return status;
  }
  /// The next read() begins another round, whose ticks are those of the file plus this.
  bool at_round_start() const { return rewind_; }
  std::int64_t shift_ticks() const { return shift_; }

private:
  std::shared_ptr<phy::sigmf_reader> reader_;
  int rounds_, round_ = 0;
  std::int64_t shift_ = 0;
  bool rewind_ = false;
};

}  // namespace prose::apps
