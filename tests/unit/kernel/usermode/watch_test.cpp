// SPDX-License-Identifier: MIT

// What a look at a server does to the worker that it finds.
#include "kernel/usermode/watch.hpp"

#include <cstdint>

#include <gtest/gtest.h>

#include "libumcg/task.hpp"

namespace umcg::kernel::usermode {
namespace {

// Two servers, of which one is on its way home: the carrier that it has left hosts a worker of the
// other.
class left_carrier : public ::testing::Test {
 protected:
  left_carrier() {
    for (watch* const each : {&leaver, &owner}) {
      each->server.store(each == &leaver ? &leaving_server : &owning_server);
      each->on.store(&on);
      each->is_parked.store(false);
    }
    on.hosts.adopt(&owning_server, &owner);
    on.hosts.pass_to(&worker);
  }

  libumcg::task leaving_server;
  libumcg::task owning_server;
  libumcg::task worker;
  carrier on;
  watch leaver;
  watch owner;
};

TEST_F(left_carrier, is_none_of_the_former_servers_business) {
  const std::uint64_t token = worker.claim.doubt();
  EXPECT_EQ(look(leaver, insistence::on_sleep).found, finding::at_work);
  EXPECT_TRUE(worker.claim.is_doubted_by(token));
}

// Its status file is not open, so what it does is not known.
TEST_F(left_carrier, is_looked_at_for_its_server) {
  const std::uint64_t token = worker.claim.doubt();
  EXPECT_EQ(look(owner, insistence::on_sleep).found, finding::not_known);
  EXPECT_FALSE(worker.claim.is_disputed());
  EXPECT_FALSE(worker.claim.is_doubted_by(token));
}

}  // namespace
}  // namespace umcg::kernel::usermode
