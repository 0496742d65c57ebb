// SPDX-License-Identifier: MIT
// A library with thread_local objects of its own, loaded while workers wait: each of them gets its
// TLS block when it first comes here, wherever it runs then.
#include <atomic>
#include <string>

namespace {

std::atomic<int> destroyed{0};

struct kept {
  ~kept() { destroyed.fetch_add(1); }

  std::string text;
};

thread_local int number = -1;
thread_local kept last;

}  // namespace

extern "C" {

// The calling thread's own number, -1 to begin with.
int* umcg_module_number() { return &number; }

// Keeps `text` for the calling thread and returns what it kept before.
const char* umcg_module_keep(const char* text) {
  thread_local std::string before;
  before.swap(last.text);
  last.text = text;
  return before.c_str();
}

int umcg_module_destroyed() { return destroyed.load(); }
}
