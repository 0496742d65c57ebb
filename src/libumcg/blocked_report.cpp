// SPDX-License-Identifier: MIT
#include "libumcg/blocked_report.hpp"

#include <unistd.h>

namespace umcg::libumcg {

namespace {

void write_line(task& /*worker*/, std::string_view line) noexcept {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

constinit std::atomic<blocked_report> report_blocked{write_line};

}  // namespace umcg::libumcg
