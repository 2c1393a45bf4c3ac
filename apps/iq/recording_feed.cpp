#include "apps/iq/recording_feed.h"

#include <algorithm>
#include <cmath>

namespace prose::apps {
namespace {
constexpr std::size_t block_samples = 16384;
constexpr double longest_s = 1e7;  // four months: a longer gap is one of a stream index that is wrong
}  // namespace

result<recording_feed> recording_feed::make(phy::sigmf_reader& reader, std::size_t channel, double device_rate_hz,
                                            double scale, std::int64_t begin, std::int64_t end) {
  recording_feed f;
  f.reader_ = &reader;
  f.channel_ = channel;
  f.scale_ = static_cast<float>(scale);
  f.watch_.emplace(reader.data_path(), ": is this " + std::string(name_of(reader.meta().datatype)) + "?",
                   reader.sample_rate_hz());
  if (std::abs(device_rate_hz - reader.sample_rate_hz()) > 1e-9 * device_rate_hz) {
    auto b = phy::rate_bridge::make(reader.sample_rate_hz(), device_rate_hz);
    if (!b) return tl::unexpected(b.error());
    f.interp_ = b->interp();
    f.decim_ = b->decim();
    f.bridge_.emplace(std::move(*b));
  }
  f.block_.assign(reader.n_antennas(), std::vector<phy::cf32>(block_samples));
  f.begin_ = begin;
  f.end_ = end;
  f.first_ = reader.tick_of(begin);
  const std::int64_t span = reader.tick_of(end - 1) + 1 - f.first_;
  if (static_cast<double>(span) > longest_s * reader.sample_rate_hz())
    return fail(reader.meta_path() + ": the captures span " +
                std::to_string(std::llround(static_cast<double>(span) / reader.sample_rate_hz())) +
                " s; accepted: up to " + std::to_string(std::llround(longest_s)) + " s, or one of them (--segment)");
  f.length_ = f.to_device(span);
  return f;
}

// The nearest device tick: a segment that starts between two is at most half a device sample off.
std::int64_t recording_feed::to_device(std::int64_t ticks) const {
  return (ticks / decim_) * interp_ + (2 * (ticks % decim_) * interp_ + decim_) / (2 * decim_);
}

void recording_feed::condition(std::span<phy::cf32> samples) {
  for (auto& v : samples) {
    v *= scale_;
    n_clipped_ += std::abs(v.real()) > 1.0F || std::abs(v.imag()) > 1.0F ? 1 : 0;
  }
}

result<void> recording_feed::rewind() {
  in_segment_ = false;
  last_end_ = 0;
  in_.clear();
  return reader_->seek(begin_);
}

void recording_feed::begin_segment(std::int64_t tick) {
  in_segment_ = true;
  segment_tick_ = std::max(to_device(tick), last_end_);
  segment_in_ = segment_out_ = 0;
  in_.clear();
  if (bridge_) {
    bridge_->reset();
    to_drop_ = bridge_->delay_out();
  }
}

/// Ends the segment. Gives what is still inside the filter.
feed_piece recording_feed::end_segment() {
  in_segment_ = false;
  if (!bridge_) return {};
  const std::int64_t wanted = (segment_in_ * interp_ + decim_ - 1) / decim_ - segment_out_;
  const auto left = static_cast<std::int64_t>(in_.size());
  const std::int64_t blocks = std::max((wanted + to_drop_ + interp_ - 1) / interp_, (left + decim_ - 1) / decim_);
  in_.resize(blocks * decim_);
  out_.resize(blocks * interp_);
  bridge_->run(in_, out_);
  in_.clear();
  const auto tail = std::span(out_).subspan(to_drop_).first(wanted);
  condition(tail);
  const std::int64_t tick = segment_tick_ + segment_out_;
  last_end_ = tick + wanted;
  return {tick, tail};
}

/// Resamples whole blocks of what was read. Drops the filter's delay from the segment's beginning.
std::span<phy::cf32> recording_feed::resample(std::span<phy::cf32> got) {
  in_.insert(in_.end(), got.begin(), got.end());
  const auto blocks = in_.size() / static_cast<std::size_t>(decim_);
  const auto used = blocks * static_cast<std::size_t>(decim_);
  out_.resize(blocks * static_cast<std::size_t>(interp_));
  bridge_->run(std::span(in_).first(used), out_);
  in_.erase(in_.begin(), in_.begin() + used);
  const auto drop = std::min(to_drop_, static_cast<std::int64_t>(out_.size()));
  to_drop_ -= drop;
  return std::span(out_).subspan(drop);
}

/// The samples at the device's rate are the segment's next ones.
feed_piece recording_feed::append(std::span<phy::cf32> made) {
  condition(made);
  const std::int64_t at = segment_tick_ + segment_out_;
  segment_out_ += static_cast<std::int64_t>(made.size());
  last_end_ = at + static_cast<std::int64_t>(made.size());
  return {at, made};
}

result<std::optional<feed_piece>> recording_feed::next() {
  for (;;) {
    const bool at_end = reader_->position() >= std::min(end_, reader_->n_samples());
    const bool breaks = at_end || reader_->tick_of(reader_->position()) != next_recording_tick_;
    if (in_segment_ && breaks)
      if (const auto tail = end_segment(); !tail.samples.empty()) return tail;
    if (at_end) return std::nullopt;
    const std::int64_t tick = reader_->tick_of(reader_->position()) - first_;
    if (!in_segment_) begin_segment(tick);
    std::vector<std::span<phy::cf32>> out(block_.begin(), block_.end());
    const auto status = reader_->read(out);
    if (!status) return tl::unexpected(status.error());
    const auto got = out[channel_].first(status->n_samples);
    watch_->add(got);
    n_non_finite_ += phy::zero_non_finite(got);
    next_recording_tick_ = status->first_tick + static_cast<std::int64_t>(status->n_samples);
    segment_in_ += static_cast<std::int64_t>(status->n_samples);
    if (const auto piece = append(bridge_ ? resample(got) : got); !piece.samples.empty()) return piece;
  }
}

}  // namespace prose::apps
