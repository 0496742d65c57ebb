// SPDX-License-Identifier: MIT

// umcg::body: what is stored in place and what on the heap, and that every callable is called as
// often as its body and destroyed exactly once.

#include "umcg/body.hpp"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

#include <gtest/gtest.h>

namespace {

// Allocations of the calling thread so far.
thread_local int allocations = 0;

void* counted(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  ++allocations;
  const auto to = static_cast<std::size_t>(alignment);
  if (void* memory = std::aligned_alloc(to, (size + to - 1) / to * to)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace umcg {
namespace {

struct counts {
  int made = 0;
  int moved = 0;
  int destroyed = 0;
  int called = 0;
  const void* called_at = nullptr;
};

// Counts what happens to it. `Size` is that of the object; `NoexceptMove` whether moving it may
// throw.
template <std::size_t Size, bool NoexceptMove = true>
class counting {
 public:
  explicit counting(counts& of) : of_(&of) { ++of.made; }
  counting(counting&& other) noexcept(NoexceptMove) : of_(other.of_) {
    ++of_->made;
    ++of_->moved;
  }
  counting(const counting&) = delete;
  counting& operator=(const counting&) = delete;
  ~counting() { ++of_->destroyed; }

  void operator()() {
    ++of_->called;
    of_->called_at = this;
  }

 private:
  counts* of_;
  std::array<char, Size - sizeof(counts*)> padding_{};
};

bool inside(const body& outer, const void* inner) {
  const auto begin = reinterpret_cast<std::uintptr_t>(&outer);
  const auto at = reinterpret_cast<std::uintptr_t>(inner);
  return at >= begin && at < begin + sizeof outer;
}

template <class Callable>
void expect_stored_in_place(bool in_place) {
  counts seen;
  {
    Callable callable(seen);
    const int before = allocations;
    body work(std::move(callable));
    EXPECT_EQ(allocations - before, in_place ? 0 : 1);
    work();
    EXPECT_EQ(inside(work, seen.called_at), in_place);
    const void* const at_first = seen.called_at;
    body moved(std::move(work));
    EXPECT_EQ(allocations - before, in_place ? 0 : 1);
    moved();
    EXPECT_EQ(seen.called_at == at_first, !in_place);  // what is on the heap stays where it is
  }
  EXPECT_EQ(seen.called, 2);
  EXPECT_EQ(seen.made, seen.destroyed);
}

TEST(body, stores_in_place_what_fits_into_64_bytes) {
  expect_stored_in_place<counting<16>>(true);
  expect_stored_in_place<counting<64>>(true);
}

TEST(body, stores_on_the_heap_what_is_larger) {
  expect_stored_in_place<counting<72>>(false);
  expect_stored_in_place<counting<4096>>(false);
}

TEST(body, stores_on_the_heap_what_may_throw_while_it_is_moved) {
  expect_stored_in_place<counting<16, false>>(false);
}

TEST(body, keeps_the_alignment_of_what_it_stores) {
  struct alignas(64) aligned {
    void operator()() { *right = reinterpret_cast<std::uintptr_t>(this) % 64 == 0; }
    bool* right;
  };
  for (int i = 0; i < 8; ++i) {
    bool right = false;
    body work(aligned{&right});
    work();
    EXPECT_TRUE(right);
  }
}

TEST(body, is_empty_until_it_is_given_a_callable) {
  body work;
  EXPECT_FALSE(work);
  bool called = false;
  work = [&called] { called = true; };
  EXPECT_TRUE(work);
  work();
  EXPECT_TRUE(called);
}

TEST(body, moves_what_cannot_be_copied) {
  static_assert(!std::is_copy_constructible_v<body> && !std::is_copy_assignable_v<body>);
  static_assert(std::is_nothrow_move_constructible_v<body>);
  int result = 0;
  body work = [value = std::make_unique<int>(7), &result]() mutable { result = (*value)++; };
  body moved = std::move(work);
  EXPECT_FALSE(work);  // NOLINT(bugprone-use-after-move): that is what is asked
  moved();
  EXPECT_EQ(result, 7);
  moved();  // it is the same object that is called again
  EXPECT_EQ(result, 8);
}

template <class Callable>
void expect_destroyed_once() {
  counts first;
  counts second;
  {
    body work{Callable(first)};
    body other{Callable(second)};
    work = std::move(other);
    EXPECT_EQ(first.made, first.destroyed);
    EXPECT_LT(second.destroyed, second.made);
    body& same = work;
    work = std::move(same);
    EXPECT_TRUE(work);
    work();
    work.reset();
    EXPECT_FALSE(work);
    EXPECT_EQ(second.made, second.destroyed);
    work.reset();
  }
  EXPECT_EQ(first.called, 0);
  EXPECT_EQ(second.called, 1);
  EXPECT_EQ(first.made, first.destroyed);
  EXPECT_EQ(second.made, second.destroyed);
}

TEST(body, destroys_its_callable_once) {
  expect_destroyed_once<counting<64>>();
  expect_destroyed_once<counting<72>>();
}

TEST(body, takes_a_function_and_an_lvalue) {
  static int calls = 0;
  struct plain {
    static void function() { ++calls; }
  };
  body from_function(&plain::function);
  from_function();
  EXPECT_EQ(calls, 1);
  int copied = 0;
  const auto callable = [&copied] { ++copied; };
  body from_lvalue(callable);
  from_lvalue();
  callable();
  EXPECT_EQ(copied, 2);
}

}  // namespace
}  // namespace umcg
