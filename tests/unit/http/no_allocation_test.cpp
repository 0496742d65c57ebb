// SPDX-License-Identifier: MIT

// Counts what a request costs in allocations, by standing in for the global operator new.

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>

#include <gtest/gtest.h>

#include "unit/http/test_peer.hpp"

namespace {
thread_local bool counts = false;
std::atomic<int> allocations = 0;
}  // namespace

// Never inlined, or the compiler sees memory of malloc() in the hands of delete.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (counts) ++allocations;
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  if (counts) ++allocations;
  return std::malloc(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace umcg::http {
namespace {

// Allocations of the connection's thread from the first time `text` is answered to the last.
int count_for(service& served, const std::string& text, int times = 10) {
  testing::test_peer peer(served);
  int before = 0;
  for (int i = 0; i < times; ++i) {
    peer.send(text);
    EXPECT_EQ(peer.receive().status, 200);
    if (i == 0) before = allocations;
  }
  return allocations - before;
}

TEST(allocation, there_are_none_for_a_small_request) {
  service served;
  served.get("/plaintext", [](const request&) {
    counts = true;  // from here on, on this connection's thread
    return response::text("Hello, World!");
  });
  served.get("/{name}", [](const request& asked) {
    counts = true;
    return response::unowned("larger than a small string can be", asked.path_parameter("name"));
  });
  EXPECT_EQ(count_for(served, "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"), 0);
  EXPECT_EQ(count_for(served, "GET /text HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n"), 0);
}

// The test of the test: a body that does not fit in place is one allocation.
TEST(allocation, are_counted) {
  service served;
  served.get("/", [](const request&) {
    counts = true;
    return response::text(std::string(100, 'x'));
  });
  EXPECT_EQ(count_for(served, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 9);
}

}  // namespace
}  // namespace umcg::http
