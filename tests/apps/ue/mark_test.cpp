// The mark of prose-ue: where it lies, what repeats without one, which UTC is believed, and when an emulated air
// starts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "apps/air/start_time.h"
#include "apps/lib/common/config.h"
#include "apps/lib/keys/key_file.h"
#include "apps/lib/keys/system_random.h"
#include "apps/ue/program.h"
#include "apps/ue/program_config.h"
#include "apps/ue/show.h"
#include "apps/ue/utc_source.h"
#include "mac/security_adapter.h"
#include "security/crypto/x25519.h"
#include "security/ue_security.h"
#include "tests/mac/diskless_adapter.h"

namespace prose::apps {
namespace {
using testing::AllOf;
using testing::HasSubstr;
using namespace security;

class mark : public ::testing::Test {
protected:
  void SetUp() override {
    char name[] = "/tmp/prose_mark_XXXXXX";
    folder = ::mkdtemp(name);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  std::string path(const std::string& n) const { return folder + "/" + n; }

  /// A UE as prose-ue makes it: the mark of its file, then keep() after every step. `kept`: as a UE without a file
  /// would be.
  struct ue {
    ue(mark& m, const key_pair& own, const std::string& file, bool kept) : kept_on_disk(kept), mark_file(file) {
      ue_config config;
      if (kept) config.stored_mark = keys::read_mark(file).value();
      security = std::make_unique<ue_security>(
          config, key_pair::from_private(static_private_key(own.private_key.expose()), m.p), m.p);
      if (kept)
        adapter = std::make_unique<mac::security_adapter>(*security);
      else
        adapter = std::make_unique<mac::test::diskless_adapter>(*security);
    }
    void advance(slot_t t, time_ms now) {
      adapter->advance(t, now);
      auto& clock = security->discovery().clock();
      if (const auto next = kept_on_disk ? clock.mark_to_store() : std::nullopt;
          next && keys::write_mark(mark_file, *next))
        clock.mark_stored(*next);
    }
    bool kept_on_disk;
    std::string mark_file;
    std::unique_ptr<ue_security> security;
    std::unique_ptr<mac::security_adapter> adapter;
  };

  std::string folder;
  keys::system_random random;
  crypto::mbedtls_x25519 dh{random};
  ports p{random, dh};
};

TEST_F(mark, codes_of_a_restarted_ue_repeat_without_a_mark_and_not_with_one) {
  const auto own = key_pair::generate(p), peter = key_pair::generate(p);
  for (const bool kept : {false, true}) {
    std::set<discovery_pdu> codes[2];
    for (int run = 0; run < 2; ++run) {  // the clock begins at the same second in both, as a device's without UTC does
      ue u(*this, own, path("own.mark"), kept);
      ASSERT_TRUE(u.security->add_peer("peter", peter.public_part));
      for (slot_t t = 0; t < 60; ++t) {
        u.advance(1'700'000'000 + t, t * 1000);
        for (const auto& c : u.adapter->announcements(t * 1000)) codes[run].insert(c);
      }
    }
    std::size_t both = 0;
    for (const auto& c : codes[0]) both += codes[1].count(c);
    EXPECT_EQ(both, kept ? 0U : 60U) << "control: without a mark the peer's code of each slot is sent again";
    EXPECT_GE(codes[0].size(), 16U * 60);
  }
}

TEST_F(mark, an_old_request_is_answered_only_without_a_mark) {
  const auto john = key_pair::generate(p), peter = key_pair::generate(p);
  for (const bool kept : {false, true}) {
    send_message request{};
    std::vector<std::uint8_t> buffer(9000);
    std::filesystem::remove(path("peter.mark"));
    {
      ue j(*this, john, path("john.mark"), false), q(*this, peter, path("peter.mark"), kept);
      ASSERT_TRUE(j.security->add_peer("peter", peter.public_part));
      ASSERT_TRUE(q.security->add_peer("john", john.public_part));
      j.advance(1'700'000'005, 5000);
      q.advance(1'700'000'005, 5000);
      actions out;
      for (const auto& c : q.adapter->announcements(5000))
        if (const auto e = j.adapter->discovery(c, 5000)) j.adapter->connect(std::get<peer_heard>(*e), 5000, out);
      j.adapter->tick(5000 + answer_delay_ms, out);  // what costs multiplications leaves so much later
      for (const auto& a : out)
        if (const auto* m = std::get_if<send_message>(&a)) request = *m;
      ASSERT_FALSE(request.octets.empty());
    }
    ue again(*this, peter, path("peter.mark"), kept);
    ASSERT_TRUE(again.security->add_peer("john", john.public_part));
    again.advance(1'700'000'005, 5000);
    (void)again.adapter->announcements(5000);
    actions out;
    const time_ms then = 5000 + answer_delay_ms + 100;
    const auto taken =
        again.adapter->receive(request.lcid, request.src, request.dst, request.octets, then, buffer, out);
    again.adapter->tick(then + answer_delay_ms, out);
    EXPECT_EQ(taken.has_value(), !kept) << "control: without a mark Peter answers, though John is not there";
    EXPECT_EQ(out.size(), kept ? 0U : 1U);
  }
}

TEST_F(mark, lies_beside_the_private_key_where_the_configuration_names_none) {
  const auto of = [&](const std::string& text) {
    auto file = config_section::parse(text, path("ue.yaml"));
    auto c = read_program_config(*file, path("ue.yaml"));
    return c ? c->mark : c.error().message;
  };
  EXPECT_EQ(of("identity: {private_key: own.key}\n"), path("own.key.mark"));
  EXPECT_EQ(of("identity: {private_key: own.key, mark: other}\n"), path("other"));
}

TEST_F(mark, a_ue_that_cannot_write_its_mark_does_not_start) {
  ASSERT_TRUE(keys::write_secret(path("own.key"), key_pair::generate(p).private_key.expose()));
  program_config c;
  c.private_key = path("own.key");
  c.radio.device_args = "type=virtual,name=nobody,air=no-such-air,hub_timeout=0.1";
  c.radio.sample_rate_hz = 7.68e6;
  const auto error = [&] {
    const auto made = ue_program::make(c);
    return made ? "" : made.error().message;
  };
  for (const auto& place : {path("no/folder/mark"), folder, std::string("/proc/mark")}) {
    c.mark = place;
    EXPECT_THAT(error(), AllOf(HasSubstr(place), HasSubstr("accepted"))) << place;
  }
  std::ofstream(path("open.mark")) << "5\n";
  ::chmod(path("open.mark").c_str(), 0644);
  c.mark = path("open.mark");
  EXPECT_THAT(error(), HasSubstr("chmod 600"));
  c.mark = path("own.key.mark");
  EXPECT_THAT(error(), HasSubstr("no-such-air")) << "control: with a good mark it gets as far as the radio";
}

std::string shown_text(const program_config& c, double host_utc_s) {
  const auto s = show_ue(c, host_utc_s, false);
  return s ? s->text : s.error().message;
}

TEST_F(mark, is_shown_with_the_time_it_costs) {
  ASSERT_TRUE(keys::write_secret(path("own.key"), key_pair::generate(p).private_key.expose()));
  program_config c;
  c.name = "mary";
  c.private_key = path("own.key");
  c.mark = path("own.key.mark");
  EXPECT_THAT(shown_text(c, 1'795'000'000),
              AllOf(HasSubstr("name mary\n"), HasSubstr("mark " + c.mark + " not there yet\n")));
  EXPECT_FALSE(std::filesystem::exists(c.mark));
  ASSERT_TRUE(keys::write_mark(c.mark, 1'795'003'599));
  EXPECT_THAT(shown_text(c, 1'795'000'000),
              HasSubstr("by the host's clock silent until 2026-11-18T12:06:40Z because of " + c.mark +
                        "; the clock says 2026-11-18T11:06:40Z: waiting until slot 1795003600 (3600 s)\n"));
  EXPECT_THAT(shown_text(c, 1'795'003'600), HasSubstr("until 2026-11-18T12:06:40Z\n"));
}

TEST(mark_utc, what_cannot_be_utc_is_refused) {
  constexpr double host = 1'795'000'000, day = 86400;
  const auto at_zero = [](const utc_settings& s, double device, double host_utc, double duration = 0) {
    const auto r = utc_at_zero(s, device, host_utc, duration);
    return r ? *r : -1;
  };
  // A radio whose time starts at 0, and one with UTC.
  EXPECT_EQ(at_zero({.from_host = true}, 100, host), host - 100);
  EXPECT_EQ(at_zero({.epoch_s = 0}, host, host), 0);
  EXPECT_EQ(at_zero({.epoch_s = 0}, host + day - 1, host), 0);
  EXPECT_EQ(at_zero({.epoch_s = 0}, host + day + 1, host), -1);
  EXPECT_EQ(at_zero({.epoch_s = 0}, host - day - 1, host), -1);
  EXPECT_EQ(at_zero({.epoch_s = 0, .trust_device = true}, host - day - 1, host), 0);
  EXPECT_EQ(at_zero({.epoch_s = 1.7e9}, 5, host), -1) << "the default, on a radio without UTC";
  EXPECT_EQ(at_zero({.epoch_s = 1.7e9, .emulated = true}, 5, host), 1.7e9);
  // 1.7e9 and a device that keeps UTC: the year 2080; with some more it does not fit 32 bits.
  EXPECT_EQ(at_zero({.epoch_s = 1.7e9}, host, host), -1);
  for (const bool trust : {false, true})
    for (const bool emulated : {false, true}) {
      EXPECT_EQ(at_zero({.epoch_s = 2.6e9, .trust_device = trust, .emulated = emulated}, host, host), -1);
      EXPECT_EQ(at_zero({.epoch_s = 4294967296.0 - 20, .trust_device = trust, .emulated = emulated}, 0, host), -1)
          << "no room for the mark";
      EXPECT_EQ(at_zero({.epoch_s = 4294967296.0 - 100, .trust_device = trust, .emulated = emulated}, 0, host, 90), -1)
          << "not for the whole run";
      EXPECT_EQ(at_zero({.epoch_s = -5, .trust_device = trust, .emulated = emulated}, 0, host), -1);
    }
  const auto far = utc_at_zero({.epoch_s = 1.7e9}, host, host);
  EXPECT_THAT(far.error().message, AllOf(HasSubstr("2080-"), HasSubstr("2026-11-18"), HasSubstr("utc: system"),
                                         HasSubstr("trust_device: true")));
  EXPECT_THAT(utc_at_zero({.epoch_s = 2.6e9}, host, host).error().message,
              AllOf(HasSubstr("2600000000"), HasSubstr("32 bits"), HasSubstr("accepted")));
  EXPECT_TRUE(is_emulated("type=virtual,name=a"));
  EXPECT_TRUE(is_emulated("name=a,type=virtual"));
  EXPECT_FALSE(is_emulated("type=b200,name=type=virtuals"));
  EXPECT_FALSE(is_emulated(""));
}

TEST(mark_utc, the_silence_names_its_end_its_file_and_the_clock) {
  const auto text = silence_text(1'795'003'599, 1'795'000'000, "keys/mary.mark");
  EXPECT_EQ(text,
            "silent until 2026-11-18T12:06:40Z because of keys/mary.mark; the clock says 2026-11-18T11:06:40Z: waiting "
            "until slot 1795003600 (3600 s)");
}

TEST_F(mark, an_air_never_starts_before_the_end_of_its_last_run) {
  ::setenv("XDG_STATE_HOME", folder.c_str(), 1);
  constexpr std::int64_t host = 1'795'000'000, device = host - air_epoch_s;
  {
    air_history first("a", host);
    EXPECT_EQ(first.start_s(), device);
    EXPECT_TRUE(first.at(device + 10, host + 10));
    EXPECT_TRUE(first.end(device + 10, host + 10));
    EXPECT_FALSE(std::filesystem::exists(path("prose/air/a"))) << "an air as fast as the clock leaves nothing";
  }
  {
    air_history fast("a", host + 11);
    EXPECT_TRUE(fast.at(device + 500, host + 30));
    EXPECT_TRUE(fast.end(device + 500, host + 30));
  }
  EXPECT_EQ(air_history("b", host + 31).start_s(), device + 31);
  EXPECT_GT(air_history("a", host + 31).start_s(), device + 500);
  EXPECT_GT(air_history("a", host - 1'000'000).start_s(), device + 500) << "the clock was set back";
  {
    air_history killed("a", host + 31);
    EXPECT_TRUE(killed.at(killed.start_s() + 100, host + 40));  // no end()
    EXPECT_GT(air_history("a", host + 41).start_s(), killed.start_s() + 100);
  }
  EXPECT_EQ(air_history("a", host + 9000).start_s(), device + 9000);
  EXPECT_FALSE(std::filesystem::exists(path("prose/air/a"))) << "forgotten once it is past";
  ::unsetenv("XDG_STATE_HOME");
}

}  // namespace
}  // namespace prose::apps
