#include "apps/sniffer/judgement.h"

#include <filesystem>
#include <fstream>

namespace prose::apps {
namespace {
bool is_page(const std::string& path) {
  const auto extension = std::filesystem::path(path).extension();
  return extension == ".html" || extension == ".htm";
}
}  // namespace

result<std::unique_ptr<judgement>> judgement::make(const sniffer_settings& s) {
  if (!s.verdict && s.reports.empty() && s.compromised.empty()) return nullptr;
  std::unique_ptr<judgement> j(new judgement(s));
  for (const auto& path : s.compromised) {
    auto file = load_stolen_state(path);
    if (!file) return tl::unexpected(file.error());
    j->stolen_->push_back(std::move(*file));
  }
  verdict_options wanted;
  if (!j->stolen_->empty()) wanted.compromised = j->stolen_;
  j->analysis_.emplace(std::move(wanted));
  for (const auto& path : s.reports) {
    // A report that cannot be written is told now, not after hours; what an earlier run left there stays until then.
    if (!std::ofstream(path, std::ios::binary | std::ios::app)) return fail("--report " + path + ": cannot be written");
    if (is_page(path) && !j->page_) j->page_.emplace();
  }
  return j;
}

capture_observer judgement::observer() {
  capture_observer o;
  o.frame = [this](const phy::monitor_event& e, const captured_frame& f) {
    analysis_->add(f);
    if (page_) page_->add(f, std::visit([](const auto& x) { return x.rx.symbols; }, e));
    return true;
  };
  if (page_)
    o.samples = [this](std::span<const std::span<const phy::cf32>> samples, std::int64_t, bool) {
      page_->add_samples(samples[0]);
      return true;
    };
  return o;
}

result<verdict> judgement::finish(const page_facts& facts, std::string& remark) {
  for (std::size_t i = 0; i < stolen_->size(); ++i) {
    if (auto now = load_stolen_state(settings_.compromised[i])) (*stolen_)[i] = std::move(*now);
    else remark = now.error().message + "; what it held at the start is used";
    const stolen_file& f = (*stolen_)[i];
    if (f.secrets.empty() && f.logged_keys.empty() && f.names.empty()) remark = f.path + ": holds no key, so it proves nothing";
  }
  const auto v = analysis_->judge();
  for (const auto& path : settings_.reports) {
    std::ofstream file(path, std::ios::binary);
    file << (is_page(path) ? page_->html(v, facts) : to_json(v) + '\n');
    file.close();
    if (!file) return fail("--report " + path + ": cannot be written");
  }
  return v;
}

}  // namespace prose::apps
