// SPDX-License-Identifier: MIT
// The head of a dump: what the servers of each group have done.
#include <algorithm>

#include "diagnosis/worker_dump.hpp"
#include "libumcg/group.hpp"
#include "umcg/counters.hpp"

namespace umcg::diagnosis {

using libumcg::task_kind;

namespace {

// The upper bound of the bucket in which a part of all delays has been counted.
std::uint64_t delay_below_us(const counters& sums, std::uint64_t percent) noexcept {
  std::uint64_t all = 0;
  for (const std::uint64_t each : sums.run_delays) all += each;
  std::uint64_t seen = 0;
  for (std::size_t at = 0; at < sums.run_delays.size(); ++at) {
    seen += sums.run_delays[at];
    if (seen * 100 >= all * percent) return std::uint64_t{1} << at;
  }
  return 0;
}

void write_delays(text_writer& out, const counters& sums) noexcept {
  out << "  waiting for a server (sampled):";
  for (const std::uint64_t percent : {50U, 99U, 100U}) {
    const auto bound = static_cast<std::int64_t>(delay_below_us(sums, percent));
    out << (percent == 50 ? " p" : ", p") << percent << " below "
        << std::chrono::nanoseconds(std::chrono::microseconds(bound));
  }
  out << '\n';
}

void write_sums(text_writer& out, const counters& sums) noexcept {
  out << "  " << sums.switches << " switches, " << counted{sums.preemptions, "preemption"} << '\n';
  out << "  blocks:";
  for (std::size_t at = 0; at < wait_reasons; ++at) {
    if (sums.blocks[at] == 0) continue;
    out << ' ' << sums.blocks[at] << ' ' << name_of(static_cast<wait_reason>(at)) << ';';
  }
  out << "\n  hand-offs:";
  for (std::size_t at = 0; at < handoff_causes; ++at) {
    out << ' ' << sums.handoffs[at] << ' ' << name_of(static_cast<handoff_cause>(at)) << ';';
  }
  out << ' ' << counted{sums.carriers, "carrier"} << " made, " << sums.spare_carriers << " spare\n";
  if (std::ranges::any_of(sums.run_delays, [](std::uint64_t each) { return each != 0; })) {
    write_delays(out, sums);
  }
}

// Groups are told apart by their first servers.
bool is_first_of_group(const task_view& server, all_tasks& tasks) noexcept {
  const auto same = [&](const task_view& each) {
    return each.kind == task_kind::server && each.in == server.in;
  };
  return &*std::ranges::find_if(tasks.views(), same) == &server;
}

}  // namespace

void write_counters(text_writer& out, all_tasks& tasks) noexcept {
  for (const task_view& first : tasks.views()) {
    if (first.kind != task_kind::server || !is_first_of_group(first, tasks)) continue;
    counters sums;
    std::uint64_t servers = 0;
    for (const task_view& each : tasks.views()) {
      if (each.kind != task_kind::server || each.in != first.in) continue;
      ++servers;
      if (each.serving != nullptr) each.serving->counts.add_to(sums);
    }
    const libumcg::carrier_counts carriers = first.plug->carriers();
    sums.carriers = carriers.made;
    sums.spare_carriers = carriers.spare;
    out << "group of " << counted{servers, "server"} << ", half " << first.plug->name() << ":\n";
    write_sums(out, sums);
  }
}

}  // namespace umcg::diagnosis
