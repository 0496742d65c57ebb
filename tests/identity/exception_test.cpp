// SPDX-License-Identifier: MIT
// Exceptions in flight and in handlers: the C++ run-time keeps them in the thread. A worker may
// wait anywhere between the throw and the end of the handler, and other workers throw meanwhile.
#include <exception>
#include <stdexcept>

#include "identity/migration.hpp"

namespace umcg::identity {
namespace {

constexpr int rounds = 20;

std::string what_of(int number) {
  return "thrown by worker " + std::to_string(number) + ", at more length than fits a string";
}

// Waits while the stack is being unwound, and throws and catches on the way.
class crosses_in_destructor {
 public:
  crosses_in_destructor(border& line, int in_flight) : line_(line), in_flight_(in_flight) {}
  ~crosses_in_destructor() {
    EXPECT_EQ(std::uncaught_exceptions(), in_flight_);
    line_.cross();
    EXPECT_EQ(std::uncaught_exceptions(), in_flight_);
    throw_below();
    EXPECT_EQ(std::uncaught_exceptions(), in_flight_);
  }
  crosses_in_destructor(const crosses_in_destructor&) = delete;
  crosses_in_destructor& operator=(const crosses_in_destructor&) = delete;

 private:
  // A second exception, itself unwound across a wait, while the first is in flight.
  void throw_below() {
    if (in_flight_ >= 2) return;
    try {
      const crosses_in_destructor inner(line_, in_flight_ + 1);
      throw in_flight_;
    } catch (int caught) {
      EXPECT_EQ(caught, in_flight_);
      line_.cross();
    }
  }

  border& line_;
  const int in_flight_;
};

TEST(exceptions, SurviveAWaitInTheHandler) {
  run_migrating([](int number, border& line) {
    for (int round = 0; round < rounds; ++round) {
      try {
        line.cross();
        throw std::runtime_error(what_of(number));
      } catch (const std::exception& caught) {
        EXPECT_EQ(std::uncaught_exceptions(), 0);
        line.cross();
        EXPECT_EQ(caught.what(), what_of(number));
        EXPECT_EQ(std::uncaught_exceptions(), 0);
      }
      EXPECT_EQ(std::current_exception(), nullptr);
    }
  });
}

TEST(exceptions, AreRethrownAfterAWait) {
  run_migrating([](int number, border& line) {
    for (int round = 0; round < rounds; ++round) {
      try {
        try {
          throw std::runtime_error(what_of(number));
        } catch (const std::logic_error&) {
          ADD_FAILURE() << "the wrong handler";
        } catch (const std::exception&) {
          line.cross();
          throw;
        }
      } catch (const std::runtime_error& caught) {
        line.cross();
        EXPECT_EQ(caught.what(), what_of(number));
      }
    }
  });
}

TEST(exceptions, NestInHandlers) {
  run_migrating([](int number, border& line) {
    for (int round = 0; round < rounds; ++round) {
      try {
        throw std::runtime_error(what_of(number));
      } catch (const std::exception& outer) {
        try {
          line.cross();
          throw number;
        } catch (int inner) {
          line.cross();
          EXPECT_EQ(inner, number);
        }
        // `throw;` means the outer one again.
        try {
          throw;
        } catch (const std::exception& again) {
          line.cross();
          EXPECT_EQ(&again, &outer);
        }
        EXPECT_EQ(outer.what(), what_of(number));
      }
    }
  });
}

TEST(exceptions, SurviveAWaitDuringUnwinding) {
  run_migrating([](int number, border& line) {
    for (int round = 0; round < rounds / 2; ++round) {
      EXPECT_EQ(std::uncaught_exceptions(), 0);
      try {
        const crosses_in_destructor outer(line, 1);
        throw std::runtime_error(what_of(number));
      } catch (const std::exception& caught) {
        EXPECT_EQ(std::uncaught_exceptions(), 0);
        EXPECT_EQ(caught.what(), what_of(number));
      }
    }
  });
}

// An exception that one worker holds is rethrown by others, who count as its users.
TEST(exceptions, CanBeHandedOver) {
  base::short_lock lock;
  std::exception_ptr handed;
  run_migrating([&](int number, border& line) {
    for (int round = 0; round < rounds; ++round) {
      std::exception_ptr mine = std::make_exception_ptr(std::runtime_error(what_of(number)));
      {
        base::short_guard guard(lock);
        mine.swap(handed);
      }
      line.cross();
      if (mine == nullptr) continue;
      try {
        std::rethrow_exception(mine);
      } catch (const std::exception& caught) {
        line.cross();
        EXPECT_EQ(std::string(caught.what()).substr(0, 16), "thrown by worker");
      }
    }
  });
}

}  // namespace
}  // namespace umcg::identity
