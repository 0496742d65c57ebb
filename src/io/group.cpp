// SPDX-License-Identifier: MIT
// The public group: servers of the sched layer, each on a reactor of this one.
#include "umcg/group.hpp"

#include <sched.h>

#include <utility>
#include <vector>

#include "diagnosis/attendant.hpp"
#include "io/reactor.hpp"
#include "kernel/select.hpp"
#include "sched/server_group.hpp"

namespace umcg {

namespace {

constexpr std::size_t stack_size_bytes_min = 16 * 1024;
constexpr std::size_t stack_size_bytes_max = std::size_t{1} << 30;
constexpr unsigned carriers_max_max = 65536;

using std::chrono::milliseconds;

unsigned usable_cpus() noexcept {
  cpu_set_t usable;
  CPU_ZERO(&usable);
  if (::sched_getaffinity(0, sizeof usable, &usable) != 0) return 1;
  return static_cast<unsigned>(CPU_COUNT(&usable));
}

std::string invalid(const group_options& options) {
  if (options.servers > libumcg::servers_max) return "servers must be between 0 and 256";
  if (options.stack_size_bytes < stack_size_bytes_min ||
      options.stack_size_bytes > stack_size_bytes_max) {
    return "stack_size_bytes must be between 16384 and 1073741824";
  }
  if (options.quantum < milliseconds(0) || options.quantum > std::chrono::hours(24)) {
    return "quantum must be between 0 and 24 hours";
  }
  const hand_off_options& hand_off = options.hand_off;
  if (hand_off.watch != "auto" && hand_off.watch != "monitor" && hand_off.watch != "off") {
    return "hand_off.watch must be auto, monitor or off";
  }
  if (hand_off.carriers_max > carriers_max_max) return "hand_off.carriers_max is above 65536";
  if (hand_off.tick < milliseconds(1) || hand_off.tick > milliseconds(1000)) {
    return "hand_off.tick must be between 1 ms and 1 s";
  }
  return {};
}

}  // namespace

class group::state {
 public:
  state(libumcg::half& plug, const group_options& options)
      : servers(plug, {options.stack_size_bytes, options.workers_max, options.deadlock_hints,
                       options.quantum}) {}

  sched::server_group servers;
  std::string description;
};

namespace {

// Why a group could not be made: the code for programs, the sentence for people.
struct failure {
  std::error_code code;
  std::string what;
};

using sources = std::vector<std::unique_ptr<sched::event_source>>;

sources make_sources(const group_options& options, std::string& reason) {
  const unsigned count = options.servers != 0 ? options.servers : usable_cpus();
  sources made;
  for (unsigned number = 0; number < count; ++number) {
    io::made_reactor one = io::make_reactor(options.reactor);
    reason = std::move(one.reason);
    if (!one.made) return {};
    made.push_back(std::move(one.made));
  }
  return made;
}

}  // namespace

group::group(std::unique_ptr<state> started) noexcept : state_(std::move(started)) {}
group::group(group&&) noexcept = default;
group& group::operator=(group&&) noexcept = default;
group::~group() = default;

group group::start(const group_options& options) {
  failure problem;
  if (problem.what = invalid(options); !problem.what.empty()) {
    throw std::system_error(std::make_error_code(std::errc::invalid_argument), problem.what);
  }
  const kernel::choice chosen = kernel::select_half(options.kernel);
  const auto not_supported = std::make_error_code(std::errc::function_not_supported);
  if (chosen.half == nullptr) throw std::system_error(not_supported, chosen.reason);
  std::string reason;
  sources made = make_sources(options, reason);
  if (made.empty()) throw std::system_error(not_supported, reason);
  if (const int failed = diagnosis::start_attendant()) {
    throw std::system_error(failed, std::system_category(), "the thread of diagnosis");
  }
  auto started = std::make_unique<state>(*chosen.half, options);
  const std::string hand_off = chosen.half->configure(options.hand_off);
  started->description = chosen.reason + "; " + reason + "; " + hand_off;
  if (const std::error_code error = started->servers.start(std::move(made))) {
    throw std::system_error(error, "servers could not be started");
  }
  return group(std::move(started));
}

group group::start(const group_options& options, std::error_code& error) {
  error.clear();
  try {
    return start(options);
  } catch (const std::system_error& problem) {
    error = problem.code();
  } catch (const std::bad_alloc&) {
    error = std::make_error_code(std::errc::not_enough_memory);
  }
  return group(nullptr);
}

worker group::spawn(body work, const worker_options& options, std::error_code& error) {
  return state_->servers.spawn(std::move(work), options, error);
}

worker group::spawn(body work, const worker_options& options) {
  std::error_code error;
  worker made = spawn(std::move(work), options, error);
  if (error) throw std::system_error(error, "a worker could not be spawned");
  return made;
}

void group::stop() noexcept { state_->servers.stop(); }
unsigned group::servers() const noexcept {
  return static_cast<unsigned>(state_->servers.servers());
}
umcg::counters group::counters() const noexcept { return state_->servers.counts(); }
std::size_t group::workers() const noexcept { return state_->servers.workers(); }
const std::string& group::description() const noexcept { return state_->description; }

}  // namespace umcg
