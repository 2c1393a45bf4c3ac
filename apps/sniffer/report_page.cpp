#include "apps/sniffer/report_page.h"

#include <cmath>
#include <cstdio>
#include <set>

#include "apps/sniffer/frame_words.h"
#include "apps/sniffer/png.h"
#include "common/hex.h"

namespace prose::apps {
namespace {
constexpr const char* style = R"(
body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;max-width:1180px;padding:24px;color:#1c2330;background:#f6f7f9}
h1{font-size:24px;margin:0 0 4px}h2{font-size:18px;margin:32px 0 8px}p{margin:6px 0}
.verdict{padding:16px 20px;border-radius:8px;color:#fff;font-size:18px}.opaque{background:#1d7a4f}.exposed{background:#b3261e}.nothing{background:#7a6a1d}
.card{background:#fff;border:1px solid #dfe3e8;border-radius:8px;padding:12px;overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13px}th{text-align:left;background:#eef1f4;position:sticky;top:0}
th,td{padding:3px 8px;border-bottom:1px solid #e6e9ed;vertical-align:top;white-space:nowrap}td.w{white-space:normal}
td.n{text-align:right;font-variant-numeric:tabular-nums}code,pre{font:12px/1.4 ui-monospace,monospace}
tr.evidence td{background:#fff3cd}tr.failed td{color:#8a8f98}.frames{max-height:640px;overflow:auto}img{width:100%;height:300px;image-rendering:pixelated}
.muted{color:#667}
)";

std::string number(double v, int digits) {
  char t[40];
  std::snprintf(t, sizeof t, "%.*f", digits, v);
  return t;
}
std::string small(double v) {
  char t[40];
  std::snprintf(t, sizeof t, "%.3g", v);
  return t;
}

std::string cell(const std::string& text, const char* kind = "") {
  return std::string("<td") + (*kind != 0 ? std::string(" class=\"") + kind + "\"" : "") + ">" + escaped(text) +
         "</td>";
}
std::string header(std::initializer_list<const char*> names) {
  std::string out = "<tr>";
  for (const auto* n : names) out += std::string("<th>") + n + "</th>";
  return out + "</tr>\n";
}

std::string frame_links(const std::vector<std::uint64_t>& frames, std::uint64_t all) {
  std::string out = "<td class=\"w\">";
  for (const auto f : frames) out += "<a href=\"#f" + std::to_string(f) + "\">" + std::to_string(f) + "</a> ";
  if (all > frames.size()) out += "of " + std::to_string(all);
  return out + "</td>";
}

void put_findings(std::string& out, const char* title, const std::vector<finding>& all) {
  if (all.empty()) return;
  out += std::string("<h2>") + title + "</h2><div class=\"card\"><table>" +
         header({"aspect", "check", "reason", "frames"});
  for (const auto& f : all)
    out +=
        "<tr>" + cell(f.aspect) + cell(f.check) + cell(f.reason, "w") + frame_links(f.frames, f.n_frames) + "</tr>\n";
  out += "</table></div>\n";
}

const char* colour_of(frame_kind k) {
  switch (k) {
    case frame_kind::mib_sl:
      return "#8e44ad";
    case frame_kind::sci:
      return "#d35400";
    case frame_kind::sl_sch:
      return "#2066b0";
    case frame_kind::discovery:
      return "#1d8a5f";
  }
  return "#000";
}
}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '\n':
        out += c;
        break;
      default:
        out += c >= ' ' && c <= '~' ? c : '.';
    }
  return out;
}

void report_page::add(const captured_frame& f, const phy::constellation_sample& symbols) {
  ++n_frames_;
  row r{f, f.octets.size(), who(f)};
  if (r.frame.octets.size() > shown_octets) {
    r.frame.octets.resize(shown_octets);
    r.frame.octets.shrink_to_fit();
  }
  if (first_.size() < max_kept_) {
    first_.push_back(std::move(r));
  } else {
    last_.push_back(std::move(r));
    if (last_.size() > max_kept_) last_.pop_front();
  }
  for (const auto& s : symbols) {
    if (!(std::norm(s) > 0 && std::norm(s) < 9)) continue;
    // Later symbols take the places of earlier ones ever more rarely, so the picture shows the whole capture.
    const auto place = n_points_ < max_points ? n_points_ : (n_points_ * 2654435761U) % (n_points_ + 1);
    ++n_points_;
    if (place == points_.size() && points_.size() < max_points)
      points_.push_back({s, f.kind});
    else if (place < points_.size())
      points_[place] = {s, f.kind};
  }
}

namespace {
void put_accounts(std::string& out, const verdict& v) {
  if (!v.doubts.empty()) {
    out += "<h2>Why nothing is proven</h2><div class=\"card\"><table id=\"doubts\">" +
           header({"check", "reason", "frames"});
    for (const auto& d : v.doubts)
      out += "<tr>" + cell(d.check) + cell(d.reason, "w") + frame_links(d.frames, d.frames.size()) + "</tr>\n";
    out += "</table></div>\n";
  }
  out += "<h2>How much was heard</h2><div class=\"card\"><table id=\"figures\">" +
         header({"figure", "measured", "bound", "of", "holds"});
  for (const auto& f : v.figures)
    out += "<tr>" + cell(f.name) + cell(small(f.value), "n") +
           cell((f.at_least ? "at least " : "at most ") + small(f.bound), "n") +
           cell(std::to_string(f.part) + " of " + std::to_string(f.whole), "n") + cell(f.holds() ? "yes" : "NO") +
           "</tr>\n";
  out += "</table></div>\n<p class=\"muted\">" + std::to_string(v.octets.heard) +
         " octets: " + std::to_string(v.octets.parsed) + " parsed and judged, " + std::to_string(v.octets.padding) +
         " padding (" + std::to_string(v.octets.padding_not_zero) + " not zero), " + std::to_string(v.octets.cut) +
         " of SDUs that a lost block cut, " + std::to_string(v.octets.waiting) + " whose rest may still come, " +
         std::to_string(v.octets.unexplained) + " unexplained, of which " + std::to_string(v.exempt_octets) +
         " are too few to count: encoded text could hide there.</p>\n";
  out += "<h2>Each transmitter</h2><div class=\"card\"><table id=\"transmitters\">" +
         header({"who", "outcome", "blocks", "octets", "unexplained", "records", "reason"});
  for (const auto& t : v.transmitters)
    out += "<tr>" + cell(t.who) + cell(name_of(t.outcome)) + cell(std::to_string(t.blocks), "n") +
           cell(std::to_string(t.octets.heard), "n") +
           cell(std::to_string(t.octets.unexplained) + (t.exempt ? " (exempt)" : ""), "n") +
           cell(std::to_string(t.records), "n") + cell(t.reason, "w") + "</tr>\n";
  out += "</table></div>\n";
  if (v.n_transmitters > v.transmitters.size())
    out += "<p class=\"muted\">" + std::to_string(v.transmitters.size()) + " of " + std::to_string(v.n_transmitters) +
           " are shown.</p>\n";
  out +=
      "<h2>Residual: sizes and times</h2><p class=\"muted\">Measured, and never part of the verdict.</p><div "
      "class=\"card\"><table id=\"traffic\">" +
      header({"by", "right", "success", "95 %", "guessing"});
  for (const auto& r : v.traffic)
    out += "<tr>" + cell(r.feature) + cell(std::to_string(r.right) + " of " + std::to_string(r.trials), "n") +
           cell(number(r.success, 3), "n") + cell(number(r.low, 3) + " to " + number(r.high, 3), "n") +
           cell(number(r.chance, 3), "n") + "</tr>\n";
  out += "</table></div>\n";
}
}  // namespace

void report_page::put_evidence(std::string& out, const verdict& v) const {
  put_findings(out, "What an eavesdropper can tell", v.findings);
  put_accounts(out, v);
  put_findings(out, "Remarks", v.remarks);
  if (!v.opened_links.empty()) {
    out += "<h2>Links that stolen keys open</h2><div class=\"card\"><table>" +
           header({"from", "to", "KD-sess ID", "records", "whose", "opened with", "frames"});
    for (const auto& o : v.opened_links)
      out += "<tr>" + cell(hex24(o.src)) + cell(hex24(o.dst)) + cell(hex24(o.kd_sess_id).substr(2)) +
             cell(std::to_string(o.records_opened) + " of " + std::to_string(o.records_seen), "n") +
             cell(o.own ? "the stolen UE's own" : "FOREIGN") + cell(o.with, "w") +
             frame_links(o.frames, o.records_opened) + "</tr>\n";
    out += "</table></div>\n";
  }
  out += "<h2>Tests</h2><div class=\"card\"><table>" +
         header({"aspect", "check", "measured", "p", "finding if p below", "rests on", "what"});
  for (const auto& s : v.statistics)
    out += "<tr>" + cell(s.aspect) + cell(s.check) + cell(small(s.value), "n") + cell(small(s.p_value), "n") +
           cell(small(s.threshold), "n") + cell(std::to_string(s.n), "n") + cell(s.note, "w") + "</tr>\n";
  out += "</table></div>\n";
  if (v.residuals.empty()) return;
  out +=
      "<h2>Residual: radios told apart by their signal</h2><p class=\"muted\">Measured, and never part of the "
      "verdict.</p><div class=\"card\"><table>" +
      header({"by", "right", "success", "95 %", "guessing"});
  for (const auto& r : v.residuals)
    out += "<tr>" + cell(r.feature) + cell(std::to_string(r.right) + " of " + std::to_string(r.trials), "n") +
           cell(number(r.success, 3), "n") + cell(number(r.low, 3) + " to " + number(r.high, 3), "n") +
           cell(number(r.chance, 3), "n") + "</tr>\n";
  out +=
      "</table></div>\n<p class=\"muted\">Links followed over changes of their layer-2 IDs, by one of these alone.</p>"
      "<div class=\"card\"><table id=\"followed\">" +
      header({"radio", "CFO Hz", "by", "right", "success", "95 %", "guessing"});
  for (const auto& f : v.followed)
    out += "<tr>" + cell(f.radio == 0 ? "all" : std::to_string(f.radio)) +
           cell(f.radio == 0 ? "" : number(f.cfo_hz, 0), "n") + cell(f.by.feature) +
           cell(std::to_string(f.by.right) + " of " + std::to_string(f.by.trials), "n") +
           cell(number(f.by.success, 3), "n") + cell(number(f.by.low, 3) + " to " + number(f.by.high, 3), "n") +
           cell(number(f.by.chance, 3), "n") + "</tr>\n";
  out += "</table></div>\n";
}

void report_page::put_constellation(std::string& out) const {
  out += "<h2>Constellation</h2><p class=\"muted\">" + std::to_string(points_.size()) + " of " +
         std::to_string(n_points_) + " equalised symbols, a few of each frame:";
  for (const auto k : {frame_kind::mib_sl, frame_kind::sci, frame_kind::sl_sch, frame_kind::discovery})
    out += std::string(" <span style=\"color:") + colour_of(k) + "\">&#9679; " + channel_of(k) + "</span>";
  out +=
      "</p><div class=\"card\"><svg id=\"constellation\" viewBox=\"-200 -200 400 400\" width=\"420\" height=\"420\">"
      "<path d=\"M-200 0H200M0 -200V200\" stroke=\"#ccd\"/>\n";
  for (const auto& p : points_) {
    if (std::abs(p.at.real()) > 2 || std::abs(p.at.imag()) > 2) continue;
    out += "<circle cx=\"" + number(100 * p.at.real(), 1) + "\" cy=\"" + number(-100 * p.at.imag(), 1) +
           "\" r=\"1.6\" fill=\"" + colour_of(p.kind) + "\" fill-opacity=\"0.5\"/>\n";
  }
  out += "</svg></div>\n";
}

void report_page::put_frames(std::string& out, const verdict& v) const {
  std::set<std::uint64_t> evidence;
  for (const auto* list : {&v.findings, &v.remarks})
    for (const auto& f : *list) evidence.insert(f.frames.begin(), f.frames.end());
  for (const auto& o : v.opened_links) evidence.insert(o.frames.begin(), o.frames.end());
  out +=
      "<h2>Frames</h2><p class=\"muted\">" + std::to_string(n_frames_) + " in all" +
      (n_frames_ > shown_first + shown_last ? ", of which the first " + std::to_string(shown_first) + ", the last " +
                                                  std::to_string(shown_last) + " and what the verdict names are shown"
                                            : "") +
      "; what the verdict names is marked. At most " + std::to_string(shown_octets) + " octets of each.</p>\n";
  out += "<div class=\"card frames\"><table id=\"frames\">" +
         header({"#", "t / s", "subframe", "channel", "who", "PRB", "bits", "MCS", "SNR dB", "CFO Hz", "timing", "",
                 "octets", "as text"});
  const auto put = [&](const row& r) {
    const auto& f = r.frame;
    const std::string id = std::to_string(f.number);
    out += "<tr id=\"f" + id + "\"" +
           (evidence.contains(f.number) ? " class=\"evidence\""
            : f.crc_ok                  ? ""
                                        : " class=\"failed\"") +
           ">" + cell(id, "n") + cell(number(f.time_s, 4), "n") +
           cell(f.absolute_subframe < 0 ? "" : std::to_string(f.absolute_subframe), "n") + cell(channel_of(f.kind)) +
           cell(r.who) + cell(std::to_string(f.prb_start) + "+" + std::to_string(f.n_prb)) +
           cell(std::to_string(f.n_bits), "n") + cell(f.kind == frame_kind::sl_sch ? std::to_string(f.mcs) : "", "n") +
           cell(number(f.snr_db, 1), "n") + cell(number(f.cfo_hz, 0), "n") +
           cell(number(f.timing_offset_samples, 1), "n") +
           cell(!f.crc_ok      ? "CRC failed"
                : f.repetition ? "repetition"
                               : "");
    out += "<td><code>" + to_hex(f.octets) + (f.octets.size() < r.n_octets ? " ..." : "") + "</code></td><td><code>" +
           escaped({reinterpret_cast<const char*>(f.octets.data()), f.octets.size()}) + "</code></td></tr>\n";
  };
  // In the order of reception, as the numbers are; `named` are those that the verdict names and no row has shown yet.
  auto named = evidence.begin();
  const auto put_missing_before = [&](std::uint64_t number) {
    for (; named != evidence.end() && *named < number; ++named) {
      const std::string id = std::to_string(*named);
      out += "<tr id=\"f" + id + "\" class=\"evidence\">" + cell(id, "n") +
             "<td colspan=\"13\">no longer kept</td></tr>\n";
    }
  };
  const auto kept = first_.size() + last_.size();
  for (std::size_t i = 0; i < kept; ++i) {
    const row& r = i < first_.size() ? first_[i] : last_[i - first_.size()];
    const bool is_named = evidence.contains(r.frame.number);
    if (i >= shown_first && i + shown_last < kept && !is_named) continue;
    put_missing_before(r.frame.number);
    if (named != evidence.end() && *named == r.frame.number) ++named;
    put(r);
  }
  put_missing_before(UINT64_MAX);
  out += "</table></div>\n";
}

std::string report_page::html(const verdict& v, const page_facts& facts) const {
  const char* kind = v.outcome == verdict_outcome::opaque    ? "opaque"
                     : v.outcome == verdict_outcome::exposed ? "exposed"
                                                             : "nothing";
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
      "'unsafe-inline'; base-uri 'none'; "
      "form-action 'none'\"/>"
      "<meta name=\"viewport\" content=\"width=device-width\"/><title>prose-sniffer report</title><style>";
  out += style;
  out += "</style></head><body>\n<h1>What the sniffer heard</h1><p class=\"muted\">" + escaped(facts.source) +
         " &#183; " + escaped(facts.carrier) + " &#183; " + number(facts.seconds, 1) + " s</p>\n";
  out += std::string("<div id=\"verdict\" class=\"verdict ") + kind + "\"><strong>" + name_of(v.outcome) +
         "</strong> (exit status " + std::to_string(exit_status(v.outcome)) + ")<br/>" + escaped(v.reason) + "</div>\n";
  out += "<p>" + std::to_string(v.frames) + " frames: " + std::to_string(v.sl_sch_frames) + " SL-SCH, " +
         std::to_string(v.discovery_frames) + " discovery, " + std::to_string(v.malformed_frames) + " malformed. " +
         std::to_string(v.records) + " records with " + std::to_string(v.record_octets) + " octets; " +
         std::to_string(v.requests) + " requests, " + std::to_string(v.commands) + " commands, " +
         std::to_string(v.completes) + " completes. " + std::to_string(v.keys_tried) + " stolen keys in " +
         std::to_string(v.trials) + " trials. False-alarm rate of the tests together: " + small(v.false_alarm_rate) +
         ".</p>\n";
  put_evidence(out, v);
  float low = 0, high = 0;
  if (const auto png = waterfall_.png(low, high); !png.empty())
    out += "<h2>Spectrogram</h2><p class=\"muted\">" + number(facts.seconds, 1) + " s from left to right, " +
           number(facts.sample_rate_hz / 1e6, 2) + " MHz from bottom to top, " + number(low, 0) + " to " +
           number(high, 0) + " dB full scale a bin.</p><div class=\"card\"><img id=\"spectrogram\" " +
           "alt=\"spectrogram\" src=\"data:image/png;base64," + base64(png) + "\"/></div>\n";
  put_constellation(out);
  if (!facts.transmitters.empty())
    out += "<h2>Transmitters</h2><div class=\"card\"><pre>" + escaped(facts.transmitters) + "</pre></div>\n";
  put_frames(out, v);
  return out + "<details><summary>The verdict as JSON</summary><pre id=\"json\">" + escaped(to_json(v)) +
         "</pre></details>\n</body></html>\n";
}

}  // namespace prose::apps
