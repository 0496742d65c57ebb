// SPDX-License-Identifier: MIT
// What a thread is and what it computes with: its name to the C and C++ libraries, its stack, its
// floating-point control registers, its locale.
#include <locale.h>
#include <pthread.h>

#include <array>
#include <cfenv>
#include <cstdio>
#include <cstring>
#include <set>

#include "identity/migration.hpp"

namespace umcg::identity {
namespace {

constexpr int rounds = 20;

// The compiler must not conclude what it is asked to compute.
template <class Value>
Value unknown(Value value) {
  asm volatile("" : "+m"(value) : : "memory");
  return value;
}

TEST(thread_name, IsTheWorkersOwn) {
  base::short_lock lock;
  std::set<pthread_t> threads;
  std::set<std::thread::id> ids;
  run_migrating([&](int, border& line) {
    const pthread_t self = ::pthread_self();
    const std::thread::id id = std::this_thread::get_id();
    {
      base::short_guard guard(lock);
      EXPECT_TRUE(threads.insert(self).second);
      EXPECT_TRUE(ids.insert(id).second);
    }
    for (int round = 0; round < rounds; ++round) {
      line.cross();
      EXPECT_TRUE(::pthread_equal(self, ::pthread_self()));
      EXPECT_EQ(id, std::this_thread::get_id());
    }
  });
}

struct bounds {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
};

bounds stack_bounds() {
  pthread_attr_t attributes;
  bounds found;
  const int failed = ::pthread_getattr_np(::pthread_self(), &attributes);
  EXPECT_EQ(failed, 0) << std::strerror(failed);
  if (failed != 0) return found;
  void* begin = nullptr;
  std::size_t size = 0;
  EXPECT_EQ(::pthread_attr_getstack(&attributes, &begin, &size), 0);
  EXPECT_EQ(::pthread_attr_destroy(&attributes), 0);
  found.begin = reinterpret_cast<std::uintptr_t>(begin);
  found.end = found.begin + size;
  return found;
}

// What garbage collectors and sanitizers ask a thread for.
TEST(stack, BoundsEncloseLocals) {
  run_migrating([](int, border& line) {
    const bounds own = stack_bounds();
    for (int round = 0; round < rounds; ++round) {
      line.cross();
      const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
      const bounds now = stack_bounds();
      EXPECT_EQ(now.begin, own.begin);
      EXPECT_EQ(now.end, own.end);
      EXPECT_GT(here, now.begin);
      EXPECT_LT(here, now.end);
      EXPECT_GE(now.end - now.begin, group_options{}.stack_size_bytes);
    }
  });
}

// The calling convention wants 16 bytes at every call; vector instructions fault without.
[[gnu::noinline]] void expect_aligned_frame(border& line) {
  alignas(16) std::array<std::byte, 16> sixteen{};
  alignas(64) std::array<std::byte, 64> line_of_cache{};
  line.cross();
  EXPECT_EQ(unknown(reinterpret_cast<std::uintptr_t>(sixteen.data())) % 16, 0U);
  EXPECT_EQ(unknown(reinterpret_cast<std::uintptr_t>(line_of_cache.data())) % 64, 0U);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.3Lf %.3f", unknown(1.5L), unknown(2.5));
  EXPECT_STREQ(text.data(), "1.500 2.500");
}

TEST(stack, FramesAreAligned) {
  run_migrating([](int, border& line) {
    for (int round = 0; round < rounds; ++round) expect_aligned_frame(line);
  });
}

constexpr std::array rounding_modes{FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};

template <class Real>
Real third() {
  return unknown(unknown(Real{1}) / unknown(Real{3}));
}

template <class Real>
std::array<Real, rounding_modes.size()> thirds() {
  std::array<Real, rounding_modes.size()> values{};
  for (std::size_t at = 0; at < values.size(); ++at) {
    std::fesetround(rounding_modes[at]);
    values[at] = third<Real>();
  }
  std::fesetround(FE_TONEAREST);
  return values;
}

TEST(floating_point, RoundingModeIsTheWorkersOwn) {
  const auto expected = thirds<double>();
  const auto expected_long = thirds<long double>();
  ASSERT_LT(expected[2], expected[1]);
  run_migrating([&](int number, border& line) {
    EXPECT_EQ(std::fegetround(), FE_TONEAREST);
    const auto at = static_cast<std::size_t>(number) % rounding_modes.size();
    std::fesetround(rounding_modes[at]);
    for (int round = 0; round < rounds; ++round) {
      line.cross();
      EXPECT_EQ(std::fegetround(), rounding_modes[at]);
      EXPECT_EQ(third<double>(), expected[at]);
      EXPECT_EQ(third<long double>(), expected_long[at]);
    }
    std::fesetround(FE_TONEAREST);
  });
}

// Two locales of our own making: one speaks C, the other spells its messages in UTF-8.
TEST(locales, BelongToTheirWorker) {
  const std::array made{::newlocale(LC_ALL_MASK, "C", nullptr),
                        ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)};
  ASSERT_NE(made[0], locale_t{});
  ASSERT_NE(made[1], locale_t{});
  run_migrating([&made](int number, border& line) {
    EXPECT_EQ(::uselocale(nullptr), LC_GLOBAL_LOCALE);
    const auto at = static_cast<std::size_t>(number) % made.size();
    ::uselocale(made[at]);
    for (int round = 0; round < rounds; ++round) {
      line.cross();
      EXPECT_EQ(::uselocale(nullptr), made[at]);
      EXPECT_EQ(MB_CUR_MAX, at == 0 ? 1U : 6U);
    }
    ::uselocale(LC_GLOBAL_LOCALE);
  });
  for (const locale_t one : made) ::freelocale(one);
}

}  // namespace
}  // namespace umcg::identity
