// John with two permitted peers, who do not know each other.
#pragma once

#include <gtest/gtest.h>

#include "security/link.h"
#include "tests/security/security_world.h"

namespace prose::security::test {

class links : public ::testing::Test {
protected:
  void SetUp() override {
    john.knows(peter);
    peter.knows(john);
    john.knows(mary);
    mary.knows(john);
    world.ues = {&john, &peter, &mary};
    world.set_slots();
  }
  ue john{"john", 1}, peter{"peter", 2}, mary{"mary", 3};
  air world;
};

}  // namespace prose::security::test
