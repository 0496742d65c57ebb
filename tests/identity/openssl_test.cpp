// SPDX-License-Identifier: MIT
// OpenSSL keeps its error queue, and what it allocates for it, in the thread.
#include <openssl/err.h>

#include "identity/migration.hpp"

namespace umcg::identity {
namespace {

constexpr int rounds = 20;

int own_library() {
  static const int number = ERR_get_next_error_library();
  return number;
}

void push_error(int reason) {
  ERR_new();
  ERR_set_debug(__FILE__, __LINE__, __func__);
  ERR_set_error(own_library(), reason, "reason %d", reason);
}

TEST(openssl_error_queue, BelongsToItsWorker) {
  run_migrating([](int number, border& line) {
    EXPECT_EQ(ERR_peek_error(), 0U);
    for (int round = 0; round < rounds; ++round) {
      push_error(number + 1);
      line.cross();
      push_error(number + 1000);
      line.cross();
      const char* data = nullptr;
      int flags = 0;
      const unsigned long first = ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags);
      EXPECT_EQ(ERR_GET_REASON(first), number + 1);
      EXPECT_EQ(data, "reason " + std::to_string(number + 1));
      EXPECT_EQ(ERR_GET_REASON(ERR_get_error()), number + 1000);
      EXPECT_EQ(ERR_get_error(), 0U);
    }
  });
}

// Marks nest: what a call below pushes can be thrown away without the errors of the caller.
TEST(openssl_error_queue, KeepsMarksOverAWait) {
  run_migrating([](int number, border& line) {
    for (int round = 0; round < rounds; ++round) {
      push_error(number + 1);
      EXPECT_EQ(ERR_set_mark(), 1);
      line.cross();
      push_error(number + 1000);
      line.cross();
      EXPECT_EQ(ERR_pop_to_mark(), 1);
      EXPECT_EQ(ERR_GET_REASON(ERR_peek_last_error()), number + 1);
      ERR_clear_error();
    }
  });
}

}  // namespace
}  // namespace umcg::identity
