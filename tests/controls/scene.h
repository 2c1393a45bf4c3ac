// The real security sublayer's messages (and weakened ones) as captured frames: John talks to Mary and to Peter. No
// radio is involved.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "apps/lib/verdict/verdict.h"
#include "mac/rlc_um.h"
#include "tests/security/weak_variants.h"

namespace prose::apps::controls {
using namespace security::test;
using security::export_permit;

class capture {
public:
  void sl_sch(const frame& f, double t) {
    std::vector<std::uint8_t> sdu;
    if (f.lcid == 28 || f.lcid == 29)
      sdu.assign(security::unprotected_pdcp_header.begin(), security::unprotected_pdcp_header.end());
    sdu.insert(sdu.end(), f.octets.begin(), f.octets.end());
    mac::rlc_um_tx rlc;
    ASSERT_TRUE(rlc.enqueue(sdu));
    captured_frame c = base(frame_kind::sl_sch, t);
    c.octets.resize(sdu.size() + 20);
    mac::sl_sch_builder b({mac::sl_sch_version::v2x, f.src, f.dst}, c.octets);
    auto room = b.add(f.lcid, rlc.wanted_octets());
    rlc.build(room);
    b.finish();
    frames.push_back(c);
  }
  void discovery(const security::discovery_pdu& d, double t) {
    captured_frame c = base(frame_kind::discovery, t);
    c.octets.assign(d.begin(), d.end());
    frames.push_back(c);
  }
  std::vector<captured_frame> frames;

private:
  captured_frame base(frame_kind k, double t) {
    captured_frame c;
    c.number = frames.size();
    c.kind = k;
    c.time_s = t;
    return c;
  }
};

struct scene {
  scene() {
    john.knows(peter), peter.knows(john), john.knows(mary), mary.knows(john);
    world.ues = {&john, &peter, &mary};
    world.set_slots();
    john_mary = *world.link_up(john, mary);
    world.pass(1000);
    john_peter = *world.link_up(john, peter);
    for (int i = 0; i < 12; ++i) {
      const std::string text = "message number " + std::to_string(i) + ": meet me at the old mill at noon";
      const std::vector<std::uint8_t> data(text.begin(), text.end());
      (void)(i % 2 == 0 ? world.send(john, john_peter.first, data) : world.send(peter, john_peter.second, data));
      (void)(i % 2 == 0 ? world.send(john, john_mary.first, data) : world.send(mary, john_mary.second, data));
      truth.push_back(data);
      truth.push_back(data);
    }
  }
  std::shared_ptr<std::vector<stolen_file>> key_log(ue& u) {
    std::string text;
    for (const auto& [id, live] : {std::pair{john_mary, &mary}, std::pair{john_peter, &peter}}) {
      const bool johns = &u == &john;
      if (!johns && live != &u) continue;
      for (const auto& l :
           security::key_log_lines(u.security->links(), johns ? id.first : id.second, export_permit::user_was_warned()))
        text += l + "\n";
    }
    auto parsed = parse_stolen_state(text, u.name + ".keylog");
    if (!parsed) throw std::runtime_error(parsed.error().message);
    auto out = std::make_shared<std::vector<stolen_file>>();
    out->push_back(std::move(*parsed));
    return out;
  }
  /// What is on the air, weakened or not.
  capture on_air(std::optional<weakness> w = {}) {
    evidence e;
    e.frames = world.captured;
    e.truth = truth;
    e.publics = {john.security->peers().own_public()};
    e.discovery = world.captured_discovery;
    if (w) e = weaken(std::move(e), *w);
    capture c;
    for (std::size_t i = 0; i < e.discovery.size(); ++i) c.discovery(e.discovery[i], static_cast<double>(i) / 48);
    for (std::size_t i = 0; i < e.frames.size(); ++i) c.sl_sch(e.frames[i], 0.1 * static_cast<double>(i));
    if (w == weakness::replayable_request) {
      const auto request = std::find_if(e.frames.begin(), e.frames.end(), [](const auto& f) { return f.lcid == 28; });
      const auto command = std::find_if(request, e.frames.end(), [](const auto& f) { return f.lcid == 29; });
      c.sl_sch(*request, 3600);  // an hour later, and it is answered
      c.sl_sch(*command, 3600.2);
    }
    return c;
  }
  ue john{"john", 41}, peter{"peter", 42}, mary{"mary", 43};
  air world;
  std::pair<security::link_id, security::link_id> john_mary, john_peter;
  std::vector<std::vector<std::uint8_t>> truth;
};

inline bool has(const verdict& v, const std::string& check) {
  return std::any_of(v.findings.begin(), v.findings.end(),
                     [&](const auto& f) { return f.check == check && !f.frames.empty(); });
}

}  // namespace prose::apps::controls
