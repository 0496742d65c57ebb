// SPDX-License-Identifier: MIT
#include "io/reactor.hpp"

#include "io/epoll_reactor.hpp"
#include "io/uring_reactor.hpp"
#include "libumcg/scheduling.hpp"

namespace umcg::io {

interruption::interruption(operation& of, reactor& at) noexcept
    : of_(of), at_(at), worker_(libumcg::refer_to(*libumcg::current_task)) {}

void interruption::let_go(std::uint32_t mine) noexcept {
  const libumcg::task_reference worker = worker_;
  if (state_.let_go(mine)) libumcg::wake(worker);
}

void interruption::interrupt() noexcept {
  at_.post(*this);
  let_go(interruption_state::posted);
}

void interruption::wait_until_free() noexcept {
  if (state_.await()) return;
  while (!state_.free()) libumcg::wait(*worker_.who, deadline::never());
}

void reactor::post(interruption& wanted) noexcept {
  if (inbox_.push(wanted)) unpark();
}

void reactor::cancel_posted() noexcept {
  if (inbox_.empty()) return;
  interruption* each = inbox_.take_all();
  while (each != nullptr) {
    interruption& taken = *each;
    each = taken.next_posted;
    if (taken.of_.under_way) cancel(taken.of_);
    taken.let_go(interruption_state::drained);
  }
}

made_reactor make_reactor(std::string_view name) {
  if (name == "io_uring") return uring_reactor::make();
  if (name == "epoll") return epoll_reactor::make();
  if (name != "auto") {
    return {nullptr,
            "reactor \"" + std::string(name) + "\" is not known: use auto, io_uring or epoll"};
  }
  made_reactor best = uring_reactor::make();
  if (best.made) return best;
  made_reactor other = epoll_reactor::make();
  other.reason += ": " + best.reason;
  return other;
}

}  // namespace umcg::io
