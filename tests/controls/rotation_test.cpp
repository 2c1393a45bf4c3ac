// Linking across rotations of layer-2 IDs: identifiers and SCI fields of many kinds, and what must not be taken for a
// link.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/controls/bench.h"

namespace prose::apps {
namespace {

const statistic& of(const verdict& v, const std::string& check) {
  static const statistic none;
  for (const auto& s : v.statistics)
    if (s.check == check) return s;
  ADD_FAILURE() << check;
  return none;
}
std::string reason_of(const verdict& v, const std::string& check) {
  for (const auto& f : v.findings)
    if (f.check == check) return f.reason;
  return "";
}
bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// What the product's SCIs hold in TM2: everything drawn anew for each SC period but MCS, which is the same for all.
void draw_as_tm2(bench& x, int link, bool back) {
  const bool busy = link == 0 && !back;  // one sends large blocks, the others small ones
  x.n_prb = busy ? 12 : 2;
  x.prb_start = static_cast<int>(x.rng() % static_cast<std::uint64_t>(24 / x.n_prb)) * x.n_prb;
  x.sci = phy::sci_format0{
      .time_resource_pattern = static_cast<std::uint8_t>(36 + (busy && x.rng() % 2 != 0 ? 0 : x.rng() % 70)),
      .mcs = 14};
}
/// In TM4: reservations that are kept for a while and drawn anew.
void draw_as_tm4(bench& x, int link, bool back) {
  static phy::sci_format1 kept[8][2];
  auto& s = kept[link][back ? 1 : 0];
  const int length = link == 0 && !back ? 3 : 1;
  if (x.rng() % 4 == 0 || s.mcs == 0) {
    s = {.priority = 3, .resource_reservation = 12, .time_gap = static_cast<std::uint8_t>(2 + x.rng() % 4), .mcs = 14};
    s.frequency_location = static_cast<std::uint8_t>(
        phy::riv_encode(5, static_cast<int>(x.rng() % static_cast<std::uint64_t>(6 - length)), length));
  }
  s.resource_reservation = x.rng() % 8 == 0 ? 0 : 12;
  x.sci = s;
}

TEST(rotations, random_identifiers_are_not_linked) {
  constexpr double stated = 0.2;
  constexpr int captures = 400;
  int alarms = 0, alarms_of_these = 0;
  for (int i = 0; i < captures; ++i) {
    bench x;
    x.rng.seed(static_cast<std::uint64_t>(i));
    x.options.false_alarm_rate = stated;
    x.radios_differ = i % 2 == 0;
    x.rotations(
        3, 12, [&](int, const bench::ids&) { return x.random_ids(); },
        [&](int l, bool back) { i % 4 < 2 ? draw_as_tm2(x, l, back) : draw_as_tm4(x, l, back); });
    const auto v = judge(x.frames, x.options);
    bool these = false;
    for (const auto& f : v.findings) these = these || f.check.ends_with("_linker") || f.check.ends_with("_steps");
    alarms += v.outcome == verdict_outcome::exposed ? 1 : 0;
    alarms_of_these += these ? 1 : 0;
    EXPECT_GE(of(v, "l2_id_linker").n, 50U);
    EXPECT_GE(of(v, "kd_sess_id_linker").n, 50U);
    EXPECT_GE(of(v, "l2_id_steps").n, 50U);
    EXPECT_GE(of(v, "sci_linker").n, 10U) << i;
  }
  std::printf("stated %g: %d alarms in %d captures, %d of them of linkers and steps\n", stated, alarms, captures,
              alarms_of_these);
  EXPECT_LE(alarms, stated * captures);
  EXPECT_LE(alarms_of_these, stated * captures / 4);
}

TEST(rotations, a_linker_of_random_identifiers_succeeds_as_often_as_chance) {
  double success[2] = {}, chance[2] = {};
  constexpr int captures = 100;
  for (int i = 0; i < captures; ++i) {
    bench x;
    x.rng.seed(static_cast<std::uint64_t>(1000 + i));
    x.rotations(3, 12, [&](int, const bench::ids&) { return x.random_ids(); });
    const auto v = judge(x.frames, x.options);
    success[0] += of(v, "l2_id_linker").value / captures;
    success[1] += of(v, "kd_sess_id_linker").value / captures;
    const auto chance_of = [&](const char* check) {
      const auto& note = of(v, check).note;
      return std::stod(note.substr(note.find("chance ") + 7));
    };
    chance[0] += chance_of("l2_id_linker") / captures;
    chance[1] += chance_of("kd_sess_id_linker") / captures;
  }
  // The best of four orders: above chance by about one standard deviation of 60 trials.
  for (int k = 0; k < 2; ++k) EXPECT_NEAR(success[k], chance[k] + 0.05, 0.05) << k;
}

TEST(rotations, sequential_identifiers_are_linked) {
  for (const bool radios : {true, false})
    for (const int step : {1, -1, 7}) {
      bench x;
      x.radios_differ = radios;
      x.rotations(3, 12, [&](int, const bench::ids& old) {
        return bench::ids{(old.a + static_cast<std::uint32_t>(step)) & 0xffffff,
                          (old.b + static_cast<std::uint32_t>(step)) & 0xffffff, x.id16(), x.id16()};
      });
      const auto v = judge(x.frames, x.options);
      EXPECT_TRUE(holds(reason_of(v, "l2_id_linker"), "layer-2 ID")) << radios << step << to_text(v);
      EXPECT_EQ(reason_of(v, "l2_id_steps"), "layer-2 IDs follow from the ones that they replace") << radios << step;
      EXPECT_EQ(reason_of(v, "kd_sess_id_linker") + reason_of(v, "kd_sess_id_steps") + reason_of(v, "sci_linker"), "");
    }
}

TEST(rotations, constant_octets_of_a_layer_2_id_link) {
  for (const std::uint32_t fixed : {0xff0000U, 0xffff00U, 0x0000ffU}) {
    bench x;
    x.rotations(3, 20, [&](int, const bench::ids& old) {
      return bench::ids{(old.a & fixed) | (x.id24() & ~fixed), (old.b & fixed) | (x.id24() & ~fixed), x.id16(),
                        x.id16()};
    });
    const auto v = judge(x.frames, x.options);
    EXPECT_TRUE(holds(reason_of(v, "l2_id_linker"), fixed == 0x0000ffU ? "last octet first" : "layer-2 ID (next"))
        << fixed << to_text(v);
  }
}

TEST(rotations, a_counting_kd_sess_id_links) {
  bench x;
  x.rotations(3, 12, [&](int, const bench::ids& old) {
    return bench::ids{x.id24(), x.id24(), static_cast<std::uint16_t>(old.ab + 1),
                      static_cast<std::uint16_t>(old.ba + 1)};
  });
  const auto v = judge(x.frames, x.options);
  EXPECT_TRUE(holds(reason_of(v, "kd_sess_id_linker"), "KD-sess ID (next below)")) << to_text(v);
  EXPECT_TRUE(holds(reason_of(v, "kd_sess_id_steps"), "KD-sess IDs follow")) << to_text(v);
  EXPECT_EQ(reason_of(v, "l2_id_linker") + reason_of(v, "l2_id_steps"), "");
}

struct kept_field {
  const char* name;
  bool format1;
  std::function<void(bench&, std::uint8_t of_ue)> keep;
};
phy::sci_format0& sci0(bench& x) { return std::get<phy::sci_format0>(*x.sci); }
phy::sci_format1& sci1(bench& x) { return std::get<phy::sci_format1>(*x.sci); }

TEST(rotations, an_sci_field_that_a_ue_keeps_links_and_is_named) {
  const kept_field fields[] = {
      {"time resource pattern", false, [](bench& x, std::uint8_t ue) { sci0(x).time_resource_pattern = 40 + ue; }},
      {"MCS", false, [](bench& x, std::uint8_t ue) { sci0(x).mcs = 5 + ue; }},
      {"timing advance", false, [](bench& x, std::uint8_t ue) { sci0(x).timing_advance = ue; }},
      {"first PRB", false, [](bench& x, std::uint8_t ue) { x.n_prb = 2, x.prb_start = 2 + 3 * ue; }},
      {"priority", true, [](bench& x, std::uint8_t ue) { sci1(x).priority = ue; }},
      {"resource reservation", true, [](bench& x, std::uint8_t ue) { sci1(x).resource_reservation = 1 + ue; }},
      {"time gap", true, [](bench& x, std::uint8_t ue) { sci1(x).time_gap = 2 + ue; }},
      {"reserved bits", true, [](bench& x, std::uint8_t ue) { sci1(x).reserved = ue; }},
  };
  for (const auto& field : fields) {
    bench x;
    // Identifiers live for five turns of all links: 160 s and 40 SCIs each way.
    int turn = 0;
    std::vector<bench::ids> kept(4);
    x.rotations(
        4, 60,
        [&](int l, const bench::ids& old) {
          return turn++ % 20 < 4 || kept[l].a == 0 ? kept[l] = x.random_ids() : old;
        },
        [&](int l, bool back) {
          field.format1 ? draw_as_tm4(x, l, back) : draw_as_tm2(x, l, back);
          field.keep(x, static_cast<std::uint8_t>(l));
        });
    const auto v = judge(x.frames, x.options);
    EXPECT_TRUE(holds(reason_of(v, "sci_linker"), std::string("by its ") + field.name))
        << field.name << ": " << of(v, "sci_linker").note;
    EXPECT_EQ(v.findings.size(), 1U) << field.name << ": " << to_text(v);
  }
}

TEST(rotations, a_group_destination_id_that_stays_links) {
  bench x;
  x.rotations(
      3, 20,
      [&](int, const bench::ids& old) {
        return bench::ids{(old.a & 0xff) | (x.id24() & 0xffff00), (old.b & 0xff) | (x.id24() & 0xffff00), x.id16(),
                          x.id16()};
      },
      [&](int l, bool back) { draw_as_tm2(x, l, back); });
  const auto v = judge(x.frames, x.options);
  EXPECT_TRUE(holds(reason_of(v, "sci_linker"), "group destination ID")) << to_text(v);
}

TEST(rotations, the_rendezvous_id_of_a_slot_that_requests_share_is_no_link) {
  bench x;
  x.link(x.id24(), x.id24(), 0x7d21);
  for (int slot = 0; slot < 30; ++slot) {
    const std::uint32_t rendezvous[] = {x.id24(), x.id24()};
    for (int attempt = 0; attempt < 2; ++attempt) {
      for (int ue = 0; ue < 2; ++ue) {
        x.cfo = 1000.0F * static_cast<float>(ue);
        x.sci = phy::sci_format0{.mcs = 14};
        x.message(x.id24(), rendezvous[ue], x.request());
      }
      x.now += 4;
    }
    x.now += 20;
  }
  const auto v = judge(x.frames, x.options);
  EXPECT_EQ(v.outcome, verdict_outcome::opaque) << to_text(v);
  EXPECT_GE(of(v, "l2_id_linker").n, 50U);
}

TEST(rotations, allocations_that_follow_the_traffic_are_no_link) {
  for (const bool pattern : {false, true}) {
    bench x;
    int turn = 0;
    int calls[2] = {};
    const auto next = [&](int, const bench::ids& old) { return pattern || turn++ % 16 < 2 ? x.random_ids() : old; };
    x.rotations(2, pattern ? 40 : 320, next, [&](int l, bool) {
      // The busy link mostly takes the pattern with the most subframes, the other one any; or one always has all
      // sub-channels and the other four of five.
      x.sci.reset();
      if (pattern && calls[l]++ % 8 >= 2) return;  // of each direction's identifiers one SCI is heard
      if (pattern)
        x.sci = phy::sci_format0{
            .time_resource_pattern = static_cast<std::uint8_t>(l == 0 && x.rng() % 8 != 0 ? 99 : 36 + x.rng() % 63),
            .mcs = 14};
      else
        x.sci =
            phy::sci_format1{.frequency_location = static_cast<std::uint8_t>(phy::riv_encode(5, l, 5 - l)), .mcs = 14};
    });
    const auto v = judge(x.frames, x.options);
    EXPECT_EQ(v.outcome, verdict_outcome::opaque) << pattern << to_text(v);
  }
}

TEST(rotations, radios_are_followed_by_their_signal_which_decides_nothing) {
  for (const bool radios : {true, false}) {
    bench x;
    x.radios_differ = radios;
    x.rotations(3, 12, [&](int, const bench::ids&) { return x.random_ids(); });
    for (auto& f : x.frames) {  // power is noise
      f.power_db = static_cast<float>(x.rng() % 1000) / 100;
      if (!radios) f.cfo_hz = static_cast<float>(x.rng() % 40);
    }
    const auto v = judge(x.frames, x.options);
    EXPECT_EQ(v.outcome, verdict_outcome::opaque) << to_text(v);
    std::size_t by_cfo = 0;
    for (const auto& f : v.followed) {
      if (f.by.feature == "power" && f.radio == 0) {
        EXPECT_LT(f.by.low, f.by.chance);
      }
      if (f.by.feature != "cfo") continue;
      ++by_cfo;
      EXPECT_GE(f.by.trials, 8U) << f.radio;
      EXPECT_TRUE(radios ? f.by.success == 1.0 : f.by.low < f.by.chance) << f.radio;
      if (radios && f.radio > 0) {
        EXPECT_NEAR(f.cfo_hz, 500.0 * static_cast<double>(f.radio - 1), 1.0);
      }
    }
    EXPECT_EQ(by_cfo, radios ? 7U : 2U);
  }
}

TEST(rotations, an_mcs_that_all_ues_share_links_nothing) {
  bench x;
  x.rotations(
      3, 40, [&](int, const bench::ids&) { return x.random_ids(); },
      [&](int, bool) { x.sci = phy::sci_format0{.mcs = 14}; });
  const auto v = judge(x.frames, x.options);
  EXPECT_EQ(v.outcome, verdict_outcome::opaque) << to_text(v);
}

}  // namespace
}  // namespace prose::apps
