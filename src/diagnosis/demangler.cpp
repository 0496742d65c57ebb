// SPDX-License-Identifier: MIT
#include "diagnosis/demangler.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/detached_thread.hpp"
#include "base/futex.hpp"
#include "diagnosis/request_state.hpp"

namespace umcg::diagnosis {

namespace {

// Names that were nested deeper would need more; they stay as they are.
constexpr std::size_t stack_bytes = std::size_t{1} << 20;
constexpr std::uint32_t nobody = 0;

struct question {
  request_state state;
  std::array<char, 2048> name;  // ends with a zero
  std::array<char, 8192> answer;
  std::size_t size = 0;
};
constinit question asked{};

void answer() noexcept {
  int status = 0;
  char* const readable = abi::__cxa_demangle(asked.name.data(), nullptr, nullptr, &status);
  asked.size = readable != nullptr ? std::min(std::strlen(readable), asked.answer.size()) : 0;
  std::copy_n(readable, asked.size, asked.answer.data());
  std::free(readable);
}

void* answer_for_ever(void* /*unused*/) {
  base::name_this_thread("umcg-names");
  for (;;) {
    const std::uint32_t word = asked.state.look();
    if (!asked.state.begin(nobody)) {
      base::futex_wait(asked.state.word(), word);
      continue;
    }
    answer();
    asked.state.finish(nobody);
    base::futex_wake(asked.state.word());
  }
  return nullptr;
}

bool is_answered_by(deadline until) noexcept {
  while (!asked.state.is_answered()) {
    const std::uint32_t word = asked.state.look();
    if (asked.state.is_answered()) break;
    if (until.passed()) return false;
    base::futex_wait(asked.state.word(), word, until);
  }
  return true;
}

}  // namespace

int start_demangler() noexcept {
  return base::start_detached_thread(stack_bytes, answer_for_ever, nullptr);
}

void forget_demangler() noexcept { new (&asked) question; }

std::size_t demangle(std::string_view name, std::span<char> into, deadline until) noexcept {
  if (name.size() >= asked.name.size() || !asked.state.may_ask()) return 0;
  asked.name[name.copy(asked.name.data(), name.size())] = '\0';
  asked.state.ask(nobody);
  base::futex_wake(asked.state.word());
  if (!is_answered_by(until)) {
    asked.state.withdraw(nobody);
    return 0;
  }
  const std::size_t size = asked.size <= into.size() ? asked.size : 0;
  std::copy_n(asked.answer.begin(), size, into.begin());
  asked.state.take();
  return size;
}

}  // namespace umcg::diagnosis
