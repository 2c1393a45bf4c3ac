#include "apps/iq/converted.h"

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/iq/raw_file.h"
#include "apps/lib/common/sigmf_edit.h"
#include "phy/io/sample_format.h"
#include "phy/io/tar_list.h"

namespace prose::apps {
namespace {
constexpr std::uint64_t tar_block = 512;
constexpr std::size_t longest_stem = 88;  // of 99 octets of a name in a tar archive

std::span<const std::uint8_t> octets_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
}  // namespace

result<std::string> with_datatype(const std::string& text, const std::string& file, phy::sigmf_datatype type,
                                  const std::string& sha512, double rate_hz, double frequency_hz) {
  return edit_sigmf(text, file, [&](nlohmann::ordered_json& meta) {
    auto& global = meta["global"];
    global["core:datatype"] = phy::name_of(type);
    global["core:sha512"] = sha512;
    if (rate_hz > 0 && (!global.contains("core:sample_rate") || global["core:sample_rate"].is_null()))
      global["core:sample_rate"] = rate_hz;
    global.erase("core:dataset");
    global.erase("core:trailing_bytes");
    auto& captures = meta["captures"];
    for (auto& c : captures) c.erase("core:header_bytes");
    if (frequency_hz > 0) {
      if (captures.empty())
        captures.push_back({{"core:sample_start", global.value("core:offset", nlohmann::ordered_json(0))}});
      for (auto& c : captures)
        if (!c.contains("core:frequency") || c["core:frequency"].is_null()) c["core:frequency"] = frequency_hz;
    }
  });
}

result<converted> converted::open(const std::string& path, phy::sigmf_datatype type) {
  const bool is_recording = is_sigmf_name(path), is_archive = is_sigmf_archive_name(path);
  std::string stem;
  if (is_archive) {
    stem = std::filesystem::path(path).stem().string();
    if (stem.size() > longest_stem)
      return fail(path + ": too long a name for an archive; accepted: up to " + std::to_string(longest_stem) +
                  " octets before .sigmf");
  }
  auto data = whole_file::open(is_recording ? phy::sigmf_paths_of(path).data : path);
  if (!data) return tl::unexpected(data.error());
  converted c(std::move(*data));
  c.type_ = type;
  c.is_raw_ = !is_recording && !is_archive;
  c.archive_stem_ = stem;
  if (is_recording) {
    auto meta = whole_file::open(phy::sigmf_paths_of(path).meta);
    if (!meta) return tl::unexpected(meta.error());
    c.meta_.emplace(std::move(*meta));
  }
  const std::array<std::uint8_t, tar_block> room{};  // for the header, which tells the size
  if (is_archive)
    if (auto ok = c.data_.write(room); !ok) return tl::unexpected(ok.error());
  return c;
}

result<void> converted::write(std::span<const std::span<const phy::cf32>> in) {
  block_.resize(in[0].size() * in.size() * phy::bytes_per_sample(type_));
  const auto packed = phy::pack_samples(in, 0, in[0].size(), type_, block_.data());
  const auto octets = std::span<const std::uint8_t>(block_).first(packed.n_bytes);
  n_clipped_ += packed.n_clipped;
  n_samples_ += static_cast<std::int64_t>(in[0].size());
  n_bytes_ += octets.size();
  if (!is_raw_) digest_.add(octets);
  return data_.write(octets);
}

result<void> converted::finish(const std::function<result<std::string>(const std::string&)>& metadata) {
  if (is_raw_) return data_.commit();
  const auto text = metadata(digest_.finish());
  if (!text) return tl::unexpected(text.error());
  if (!archive_stem_.empty()) return finish_archive(*text);
  // Both are complete before either takes its place.
  if (auto ok = meta_->write(octets_of(*text)); !ok) return ok;
  if (auto ok = data_.commit(); !ok) return ok;
  return meta_->commit();
}

result<void> converted::finish_archive(const std::string& meta) {
  std::array<std::uint8_t, tar_block> header{};
  const std::vector<std::uint8_t> zeros(2 * tar_block);
  const auto pad = [&](std::uint64_t size) {
    return data_.write(std::span(zeros).first((tar_block - size % tar_block) % tar_block));
  };
  phy::make_tar_header(header, archive_stem_, archive_stem_ + ".sigmf-data", n_bytes_);
  if (auto ok = data_.write_at(0, header); !ok) return ok;
  if (auto ok = pad(n_bytes_); !ok) return ok;
  phy::make_tar_header(header, archive_stem_, archive_stem_ + ".sigmf-meta", meta.size());
  if (auto ok = data_.write(header); !ok) return ok;
  if (auto ok = data_.write(octets_of(meta)); !ok) return ok;
  if (auto ok = pad(meta.size()); !ok) return ok;
  if (auto ok = data_.write(zeros); !ok) return ok;
  return data_.commit();
}

}  // namespace prose::apps
