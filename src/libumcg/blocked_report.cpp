// SPDX-License-Identifier: MIT
#include "libumcg/blocked_report.hpp"

#include <poll.h>
#include <unistd.h>

namespace umcg::libumcg {

namespace {

// Nobody reads a full pipe or a stopped terminal now, and the caller watches servers.
void write_line(task& /*worker*/, std::string_view line) noexcept {
  pollfd standard_error{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&standard_error, 1, 0) != 1 || (standard_error.revents & POLLOUT) == 0) return;
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

constinit std::atomic<blocked_report> report_blocked{write_line};

}  // namespace umcg::libumcg
