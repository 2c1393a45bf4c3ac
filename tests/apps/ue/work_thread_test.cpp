// Set-ups whose scalar multiplications are done on a thread of their own: the engine's own X25519 is not called.
// Simulated time waits for the thread, so that a loaded machine changes nothing; with real X25519.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "apps/ue/work_thread.h"
#include "security/link.h"
#include "tests/security/security_world.h"

namespace prose::apps {
namespace {

using namespace prose::security;
using security::test::air;
using security::test::ue;

const bool shipped = (security::test::as_shipped = true);

void wait_for_work(const ue& u) {
  for (const auto& j : u.security->links().jobs())
    while (!j.work->done()) std::this_thread::sleep_for(std::chrono::microseconds(100));
}

TEST(budget_work_thread, set_up_and_rekeying_multiply_elsewhere) {
  work_thread of_john, of_mary;
  ue john("john", 1, {}, std::nullopt, nullptr, &of_john), mary("mary", 2, {}, std::nullopt, nullptr, &of_mary);
  john.knows(mary);
  mary.knows(john);
  air w;
  w.ues = {&john, &mary};
  w.set_slots();
  const auto before = john.dh.multiplications + mary.dh.multiplications;
  const auto pass = [&](time_ms ms) {
    for (time_ms t = 0; t < ms; t += 10) {
      wait_for_work(john);
      wait_for_work(mary);
      w.pass(10, 10);
    }
  };
  for (const auto& h : w.discover(mary)) ASSERT_TRUE(mary.security->links().connect(h, w.now, mary.pending));
  pass(3000);
  const auto link = john.security->links().link_with(john.id_of(mary));
  ASSERT_TRUE(link);
  ASSERT_TRUE(john.security->links().rekey(*link, w.now, john.pending));
  pass(3000);
  EXPECT_EQ(john.events<rekeyed>().size(), 1U);
  EXPECT_EQ(mary.events<rekeyed>().size(), 1U);
  EXPECT_EQ(john.dh.multiplications + mary.dh.multiplications, before);
  EXPECT_EQ(john.security->links().dropped(drop_reason::late) + mary.security->links().dropped(drop_reason::late), 0U);
}

TEST(budget_work_thread, ends_with_work_waiting_and_removed_keys_in_use) {
  ue john("john", 3), mary("mary", 4);
  john.knows(mary);
  mary.knows(john);
  std::vector<std::shared_ptr<set_up_work>> all;
  {
    work_thread t;
    for (int i = 0; i < 2000; ++i) {
      auto w = std::make_shared<set_up_work>(set_up_work_kind::ask, john.security->peers().share_own(),
                                             john.security->peers().share(john.id_of(mary)));
      w->ask({}, {}, john.random);
      all.push_back(w);
      t.submit(std::move(w));
    }
    actions none;
    john.security->remove_peer(john.id_of(mary), 0, none);
    while (!all[3]->done()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_TRUE(all[3]->done());
  EXPECT_FALSE(all.back()->done()) << "what waits is not done";
}

}  // namespace
}  // namespace prose::apps
