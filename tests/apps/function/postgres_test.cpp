// What only a store in PostgreSQL has: several instances on it, a connection that is lost, a schema with a version. A
// test runs on a schema of its own in the database that PROSE_TEST_POSTGRES names.
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

#include "apps/lib/function/store.h"
#include "tests/apps/function/test_store.h"

namespace prose::function {
namespace {

public_key key_of(int n) {
  public_key k{};
  k.octets[0] = static_cast<std::uint8_t>(n);
  k.octets[31] = 1;
  return k;
}

class postgres_store_test : public ::testing::Test {
protected:
  std::unique_ptr<store> open() const {
    auto s = store::open(url_);
    EXPECT_TRUE(s) << s.error().message;
    return s ? std::move(*s) : nullptr;
  }
  static void add(store& s, const std::string& name, int n) {
    EXPECT_EQ(s.register_user(name, name, key_of(n), false).value(), refusal::none);
  }
  bool sql(const std::string& statements) const { return run_sql(url_, statements); }
  std::string url_ = test_store(::testing::UnitTest::GetInstance()->current_test_info()->name());
};

/// Waits for what another instance causes.
template <class Condition>
bool comes(Condition&& condition) {
  for (int i = 0; i < 3000; ++i) {
    if (condition()) return true;
    usleep(10'000);
  }
  return false;
}

bool told_of(store& s, const std::string& user) {
  return comes([&] {
    const auto told = s.take_changed_users();
    return std::find(told.begin(), told.end(), user) != told.end();
  });
}

TEST_F(postgres_store_test, a_change_is_told_to_every_instance) {
  auto a = open(), b = open();
  add(*a, "mary", 1);
  add(*b, "john", 2);
  EXPECT_EQ(a->grant("mary", "john").value(), refusal::none);
  EXPECT_EQ(b->grant("john", "mary").value(), refusal::none);
  EXPECT_TRUE(told_of(*a, "mary"));
  EXPECT_EQ(a->changes("mary", 0, 10).value().front().key, key_of(2));
}

TEST_F(postgres_store_test, what_has_an_answer_is_synchronised_whatever_the_database_says) {
  ASSERT_TRUE(sql("ALTER ROLE prose SET synchronous_commit = off"));
  EXPECT_EQ(open()->durability(), "on");
  ASSERT_TRUE(sql("ALTER ROLE prose RESET synchronous_commit"));
}

TEST_F(postgres_store_test, a_budget_is_one_over_all_instances) {
  auto a = open(), b = open();
  EXPECT_EQ(a->take("mary", budget::requests, 1e-6, 4, 3).value(), 3);
  EXPECT_EQ(b->take("mary", budget::requests, 1e-6, 4, 3).value(), 1);
  EXPECT_EQ(a->take("mary", budget::requests, 1e-6, 4, 3).value(), 0);
  EXPECT_EQ(a->take("mary", budget::packets, 1e-6, 4, 3).value(), 3);
  EXPECT_EQ(b->take("john", budget::requests, 1e-6, 4, 3).value(), 3);
  EXPECT_TRUE(comes([&] { return b->take("mary", budget::requests, 1e3, 4, 4).value() == 4; }));
}

TEST_F(postgres_store_test, a_users_oldest_session_ends_wherever_it_is) {
  auto a = open(), b = open();
  ASSERT_TRUE(a->enter("mary", 1, 2));
  ASSERT_TRUE(b->enter("mary", 1, 2));
  ASSERT_TRUE(b->enter("john", 2, 2));
  ASSERT_TRUE(b->enter("mary", 3, 2));
  std::vector<std::int64_t> ended;
  EXPECT_TRUE(comes([&] {
    a->take_changed_users();
    ended = a->take_ended();
    return !ended.empty();
  }));
  EXPECT_EQ(ended, std::vector<std::int64_t>{1});
  EXPECT_TRUE(b->take_ended().empty());
  b->leave(1);
  ASSERT_TRUE(a->enter("mary", 4, 2));  // the second one again
  a->take_changed_users();
  EXPECT_TRUE(a->take_ended().empty());
  ASSERT_TRUE(a->end_others("mary", 4));
  EXPECT_TRUE(comes([&] {
    b->take_changed_users();
    ended = b->take_ended();
    return !ended.empty();
  }));
  EXPECT_EQ(ended, std::vector<std::int64_t>{3});
}

/// Of two stores with the same users, each in a schema of its own, neither waits for the other nor hears of it.
TEST_F(postgres_store_test, two_stores_of_one_database_are_apart) {
  auto a = open();
  const auto other = store::open(test_store("another_store"));
  ASSERT_TRUE(other) << other.error().message;
  auto& b = **other;
  ASSERT_TRUE(a->enter("mary", 1, 1));
  for (auto* s : {a.get(), &b}) add(*s, "mary", 1), add(*s, "john", 2);
  ASSERT_TRUE(b.enter("mary", 1, 1));
  ASSERT_TRUE(b.enter("mary", 2, 1));  // ends session 1, of b alone
  EXPECT_EQ(b.grant("mary", "john").value(), refusal::none);
  EXPECT_EQ(b.grant("john", "mary").value(), refusal::none);
  EXPECT_TRUE(told_of(b, "mary"));
  EXPECT_EQ(b.take_ended(), std::vector<std::int64_t>{1});
  // What b told would be here before what a tells.
  EXPECT_EQ(a->register_user("peter", "peter", key_of(3), false).value(), refusal::none);
  EXPECT_EQ(a->grant("peter", "john").value(), refusal::none);
  EXPECT_EQ(a->grant("john", "peter").value(), refusal::none);
  std::vector<std::string> told;
  EXPECT_TRUE(comes([&] {
    for (auto& user : a->take_changed_users()) told.push_back(std::move(user));
    return std::find(told.begin(), told.end(), "peter") != told.end();
  }));
  EXPECT_EQ(std::find(told.begin(), told.end(), "mary"), told.end());
  EXPECT_TRUE(a->take_ended().empty());
}

TEST_F(postgres_store_test, sessions_of_a_dead_instance_are_forgotten) {
  auto a = open(), b = open();
  ASSERT_TRUE(a->enter("mary", 1, 9));
  ASSERT_TRUE(b->enter("mary", 1, 9));
  a.reset();
  ASSERT_TRUE(comes([&] {
    EXPECT_TRUE(sql("SELECT prose_clear_up()"));
    return sql("DO \\$\\$ BEGIN ASSERT (SELECT count(*) FROM prose_session) = 1; END \\$\\$");
  }));
}

TEST_F(postgres_store_test, a_lost_connection_is_made_anew_and_says_so) {
  auto a = open(), b = open();
  add(*a, "mary", 1);
  add(*a, "john", 2);
  ASSERT_TRUE(sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'prose-function'"));
  EXPECT_TRUE(comes([&] {
    a->take_changed_users();
    return !a->connected();
  }));
  EXPECT_FALSE(a->grant("mary", "john"));
  EXPECT_TRUE(comes([&] { return a->tend(); }));
  EXPECT_TRUE(a->changed_elsewhere());
  EXPECT_FALSE(a->changed_elsewhere());
  EXPECT_EQ(a->grant("mary", "john").value(), refusal::none);
}

TEST_F(postgres_store_test, a_change_that_fails_midway_is_undone) {
  auto a = open();
  add(*a, "mary", 1);
  add(*a, "john", 2);
  ASSERT_EQ(a->grant("john", "mary").value(), refusal::none);
  ASSERT_TRUE(sql("ALTER TABLE prose_change ADD CONSTRAINT no CHECK (name <> 'john')"));
  EXPECT_FALSE(a->grant("mary", "john"));
  ASSERT_TRUE(sql("ALTER TABLE prose_change DROP CONSTRAINT no"));
  ASSERT_TRUE(comes([&] { return a->tend() || a->connected(); }));
  EXPECT_TRUE(a->granted_by("mary").value().empty());
  EXPECT_TRUE(a->changes("mary", 0, 8).value().empty());
  EXPECT_EQ(a->grant("mary", "john").value(), refusal::none);
  EXPECT_EQ(a->changes("john", 0, 8).value().size(), 1U);
}

// Both sides of one pair change their minds at once, at two instances, and a third user registers anew.
TEST_F(postgres_store_test, both_sides_at_once_stay_one_pair) {
  constexpr int rounds = 100;
  auto a = open();
  add(*a, "mary", 1);
  add(*a, "john", 2);
  std::atomic<int> failures{0};
  const auto act = [&](const std::string& me, const std::string& other, int key) {
    auto s = open();
    for (int i = 0; i < rounds; ++i) {
      failures += s->grant(me, other) == refusal::none ? 0 : 1;
      if (i % 10 == 9) failures += s->register_user(me, me, key_of(key + i), true) == refusal::none ? 0 : 1;
      if (i + 1 < rounds) failures += s->withdraw(me, other) == refusal::none ? 0 : 1;
    }
  };
  std::thread one([&] { act("mary", "john", 3); });
  std::thread two([&] { act("john", "mary", 130); });
  one.join();
  two.join();
  EXPECT_EQ(failures, 0);
  const auto mary = a->changes("mary", 0, 10).value(), john = a->changes("john", 0, 10).value();
  ASSERT_EQ(mary.size(), 1U);
  ASSERT_EQ(john.size(), 1U);
  EXPECT_TRUE(mary[0].permitted && john[0].permitted);
  EXPECT_EQ(mary[0].key, a->mutual_peers("mary").value().front().key);
  EXPECT_EQ(john[0].key, a->mutual_peers("john").value().front().key);
}

/// Versions count without gaps only if changes of one user wait for each other.
TEST_F(postgres_store_test, changes_of_a_user_wait_for_each_other) {
  auto a = open();
  add(*a, "mary", 1);
  add(*a, "john", 2);
  const std::string program = std::string(std::getenv("PROSE_TEST_PSQL")) + " -X -q -d '" + url_ + "' > /dev/null";
  std::FILE* other = popen(program.c_str(), "w");
  ASSERT_NE(other, nullptr);
  std::fputs("BEGIN; SELECT prose_lock(ARRAY['mary']);\n", other);
  std::fflush(other);
  const auto locks = [&](const char* number, const char* of) {
    return sql(std::string("DO \\$\\$ BEGIN ASSERT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND ") +
               of + ") = " + number + "; END \\$\\$");
  };
  ASSERT_TRUE(comes([&] { return locks("1", "objsubid = 1 AND granted"); }));
  std::atomic<bool> done{false};
  std::thread grants([&] {
    EXPECT_EQ(a->grant("john", "mary").value(), refusal::none);
    done = true;
  });
  EXPECT_TRUE(comes([&] { return done || locks("1", "NOT granted"); }));
  EXPECT_FALSE(done);
  std::fputs("COMMIT;\n", other);
  EXPECT_EQ(pclose(other), 0);
  grants.join();
  EXPECT_TRUE(done);
}

TEST_F(postgres_store_test, one_of_two_gets_a_name_and_a_key) {
  auto a = open(), b = open();
  constexpr int rounds = 50;
  std::atomic<int> got{0};
  const auto act = [&](store& s, const std::string& account) {
    for (int i = 0; i < rounds; ++i) {
      const auto r = s.register_user(account + std::to_string(i), "n" + std::to_string(i), key_of(i), false);
      EXPECT_TRUE(r) << r.error().message;
      got += r == refusal::none ? 1 : 0;
    }
  };
  std::thread one([&] { act(*a, "a"); });
  act(*b, "b");
  one.join();
  EXPECT_EQ(got, rounds);
}

TEST_F(postgres_store_test, a_store_of_a_newer_program_is_refused) {
  open();
  ASSERT_TRUE(sql("UPDATE prose_version SET version = 99"));
  const auto s = store::open(url_);
  ASSERT_FALSE(s);
  EXPECT_NE(s.error().message.find("version 99, made by a newer program; accepted: up to 2"), std::string::npos)
      << s.error().message;
}

TEST_F(postgres_store_test, a_store_of_version_1_gets_what_is_missing_and_keeps_the_rest) {
  add(*open(), "mary", 1);
  ASSERT_TRUE(
      sql("DROP TABLE prose_budget, prose_session; DROP FUNCTION prose_take, prose_enter, "
          "prose_end_others, prose_end_session, prose_clear_up; UPDATE prose_version SET version = 1"));
  auto s = open();
  ASSERT_NE(s, nullptr);
  EXPECT_EQ(s->name_of("mary").value(), "mary");
  EXPECT_EQ(s->take("mary", budget::requests, 1, 2, 1).value(), 1);
}

TEST(postgres_url, a_password_or_nonsense_is_refused_and_never_told) {
  for (const std::string url : {"postgresql://u:hunter2@host/db", "postgresql://host/db?password=hunter2",
                                "postgresql://host/db?sslpassword=hunter2", "postgresql://u:hunter2@host:po:rt/db",
                                "postgresql://u:hunter2@[::1/db", "postgresql://host/db?nonsense=hunter2"}) {
    for (const auto& said : {store::check(url), result<void>(store::open(url).map([](auto&&) {}))}) {
      ASSERT_FALSE(said) << url;
      EXPECT_EQ(said.error().message.find("hunter2"), std::string::npos) << said.error().message;
      EXPECT_NE(said.error().message.find("accepted: "), std::string::npos) << said.error().message;
    }
  }
  EXPECT_TRUE(store::check("postgresql://u@host:5432/db?sslmode=verify-full"));
}

}  // namespace
}  // namespace prose::function
