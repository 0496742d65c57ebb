// SPDX-License-Identifier: MIT
#include "kernel/usermode/watch_log.hpp"

#include <array>
#include <cstdio>

#include "kernel/usermode/spares.hpp"
#include "libumcg/blocked_report.hpp"

namespace umcg::kernel::usermode {

namespace {

constexpr std::chrono::seconds report_distance{1};

// " in a page fault"
void describe(const thread_sample& saw, std::array<char, 32>& into) noexcept {
  into[0] = '\0';
  switch (saw.what) {
    case thread_sample::state::running:
      std::snprintf(into.data(), into.size(), ", computing");
      return;
    case thread_sample::state::sleeping:
      if (saw.system_call < 0) {
        std::snprintf(into.data(), into.size(), " in a page fault");
      } else {
        std::snprintf(into.data(), into.size(), " in system call %d", saw.system_call);
      }
      return;
    default:
      return;
  }
}

}  // namespace

void report_if_none_is_left(const look_result& saw, std::chrono::nanoseconds blocked_for) noexcept {
  static deadline::clock::time_point reported_last;
  const deadline::clock::time_point now = deadline::clock::now();
  const spare_figures spares = look_at_spares();
  if (spares.resting != 0 || spares.made < spares.most) return make_more();
  if (now - reported_last < report_distance) return;
  reported_last = now;
  std::array<char, 32> what;
  describe(saw.sample, what);
  std::array<char, 256> line;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(blocked_for).count();
  const int size = std::snprintf(line.data(), line.size(),
                                 "umcg: a worker has blocked its server for %lld ms%s, and all %u "
                                 "carriers are taken (hand_off.carriers_max)\n",
                                 static_cast<long long>(ms), what.data(), spares.most);
  libumcg::report_blocked.load()(*saw.worker, {line.data(), static_cast<std::size_t>(size)});
}

}  // namespace umcg::kernel::usermode
