#include "apps/sniffer/report_page.h"

#include <cmath>
#include <set>

#include "apps/lib/capture/frame_words.h"
#include "apps/lib/verdict/verdict_words.h"
#include "apps/sniffer/frame_row.h"
#include "apps/sniffer/page_text.h"
#include "apps/sniffer/png.h"

namespace prose::apps {
namespace {
std::string input_of(const page_facts& f) {
  return "{\"source\":" + json_string(f.source) + ",\"live\":" + (f.live ? "true" : "false") +
         ",\"carrier\":" + json_string(f.carrier) + ",\"sample_rate_hz\":" + json_number(f.sample_rate_hz, 3) +
         ",\"seconds\":" + json_number(f.seconds, 6) + ",\"frequency_hz\":" + json_number(f.frequency_hz, 3) +
         ",\"recorded\":" + json_string(f.recorded) + ",\"judged\":" + json_string(f.judged) +
         ",\"version\":" + json_string(f.version) + ",\"command\":" + json_string(f.command) +
         ",\"digest\":" + json_string(f.digest) + '}';
}

const char* class_of(verdict_outcome o) {
  return o == verdict_outcome::opaque ? "opaque" : o == verdict_outcome::exposed ? "exposed" : "nothing";
}

std::string outcome_words(const verdict& v) {
  const std::string name = name_of(v.outcome);
  return static_cast<char>(name[0] - 'a' + 'A') + name.substr(1) + " (exit status " +
         std::to_string(exit_status(v.outcome)) + ')';
}

std::string script() {
  return std::string(page_texts::draw_js).append(page_texts::frames_js).append(page_texts::report_js);
}

/// Nothing is loaded, sent or framed; of styles and scripts only the page's own.
std::string policy(std::string_view css, std::string_view js) {
  return "default-src 'none'; img-src data:; style-src " + policy_hash(css) + "; script-src " + policy_hash(js) +
         "; base-uri 'none'; form-action 'none'";
}
}  // namespace

report_page::symbols_of& report_page::symbols_of_kind(const captured_frame& f) {
  const int bits = f.kind == frame_kind::sl_sch ? f.modulation_order : 2;
  for (auto& s : symbols_)
    if (s.kind == f.kind && s.bits == bits) return s;
  return symbols_.emplace_back(symbols_of{f.kind, bits, 0, {}});
}

void report_page::add(const captured_frame& f, const phy::constellation_sample& symbols) {
  ++n_frames_;
  row r{f.number, row_of(f)};
  if (first_.size() < max_kept_) {
    first_.push_back(std::move(r));
  } else {
    last_.push_back(std::move(r));
    if (last_.size() > max_kept_) last_.pop_front();
  }
  auto& of = symbols_of_kind(f);
  for (const auto& s : symbols) {
    if (!(std::norm(s) > 0 && std::norm(s) < 9)) continue;
    // Later symbols take the places of earlier ones ever more rarely, so the picture shows the whole capture.
    const auto place = of.n_seen < max_points ? of.n_seen : (of.n_seen * 2654435761U) % (of.n_seen + 1);
    ++of.n_seen;
    if (place == of.kept.size() && of.kept.size() < max_points)
      of.kept.push_back(s);
    else if (place < of.kept.size())
      of.kept[place] = s;
  }
}

std::string report_page::points() const {
  std::string out = "[";
  for (const auto& s : symbols_) {
    if (s.kept.empty()) continue;
    out += std::string(out.size() > 1 ? "," : "") + "{\"channel\":\"" + channel_of(s.kind) +
           "\",\"bits\":" + std::to_string(s.bits) + ",\"points\":[";
    for (std::size_t i = 0; i < s.kept.size(); ++i)
      out += (i > 0 ? "," : "") + std::to_string(std::lround(100 * s.kept[i].real())) + ',' +
             std::to_string(std::lround(100 * s.kept[i].imag()));
    out += "]}";
  }
  return out + ']';
}

std::string report_page::rows(const verdict& v) const {
  std::set<std::uint64_t> named;
  for (const auto* list : {&v.findings, &v.remarks})
    for (const auto& f : *list) named.insert(f.frames.begin(), f.frames.end());
  for (const auto& o : v.opened_links) named.insert(o.frames.begin(), o.frames.end());
  for (const auto& d : v.doubts) named.insert(d.frames.begin(), d.frames.end());
  // In the order of reception, as the numbers are.
  std::string out;
  auto missing = named.begin();
  const auto put = [&out](const std::string& text) { out += (out.empty() ? "" : ",\n") + text; };
  const auto put_missing_before = [&](std::uint64_t number) {
    for (; missing != named.end() && *missing < number; ++missing) put(row_of_lost(*missing));
  };
  const auto put_kept = [&](const row& r) {
    put_missing_before(r.number);
    if (missing != named.end() && *missing == r.number) ++missing;
    put(r.text);
  };
  for (const auto& r : first_) put_kept(r);
  for (const auto& r : last_) put_kept(r);
  put_missing_before(UINT64_MAX);
  return out;
}

std::string report_page::picture() const {
  float low = 0, high = 0;
  const auto png = waterfall_.png(low, high);
  if (png.empty()) return "{}";
  return "{\"png\":\"data:image/png;base64," + base64(png) + "\",\"low_db\":" + json_number(low, 1) +
         ",\"high_db\":" + json_number(high, 1) + ",\"samples\":" + std::to_string(waterfall_.n_samples()) + '}';
}

std::string report_page::data(const verdict& v, const page_facts& facts) const {
  return "{\"input\":" + input_of(facts) + ",\n\"verdict\":" + to_json(v) + ",\n\"spectrogram\":" + picture() +
         ",\n\"points\":" + points() + ",\n\"transmitters\":" + json_string(facts.transmitters) +
         ",\n\"frames\":{\"total\":" + std::to_string(n_frames_) + ",\"rows\":[\n" + rows(v) + "]}}";
}

std::string report_page::html(const verdict& v, const page_facts& facts) const {
  const std::string css(page_texts::report_css), js = script();
  return filled(page_texts::report_html, [&](std::string_view name) {
    if (name == "policy") return policy(css, js);
    if (name == "css") return css;
    if (name == "js") return js;
    if (name == "data") return in_script(data(v, facts));
    if (name == "title") return escaped(outcome_words(v) + ": " + facts.source);
    if (name == "outcome") return std::string(class_of(v.outcome));
    if (name == "outcome_words") return outcome_words(v);
    return escaped(sentence_of(v));
  });
}

}  // namespace prose::apps
