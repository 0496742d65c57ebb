// SPDX-License-Identifier: MIT

#include "http/accept_shortage.hpp"

#include <fcntl.h>

#include <mutex>
#include <utility>

#include <asio/error.hpp>

namespace umcg::http {

namespace {

constexpr std::chrono::seconds between_lines(1);

// In one go; the listener's queue is not much longer, and another listener may wait for its turn.
constexpr std::size_t shed_max = 4096;

base::unique_fd any_descriptor() {
  return base::unique_fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

std::string seconds_between(accept_shortage::time_point begin, accept_shortage::time_point end) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(end - begin).count()) +
         " s";
}

}  // namespace

accept_shortage::accept_shortage(std::string where)
    : where_(std::move(where)), reserve_(any_descriptor()) {}

std::string accept_shortage::line(std::string text) {
  if (const std::size_t count = std::exchange(shed_, 0); count != 0) {
    text += "; closed " + std::to_string(count) +
            (count == 1 ? " connection that waited" : " connections that waited");
  }
  return "umcg: service at " + where_ + ": " + text + "\n";
}

// Closes the connections that wait. Whoever needs a descriptor at the same time may get the one
// that this gives away; then the next call has none to give.
std::size_t accept_shortage::shed(net::listener& from) {
  reserve_.reset();
  const deadline at_once(time_point::min());
  std::size_t count = 0;
  for (std::error_code error; count < shed_max; ++count) {
    const net::stream closing = from.accept(at_once, error);
    if (error) break;
  }
  reserve_ = any_descriptor();
  return count;
}

std::string accept_shortage::goes_on(net::listener& from, const std::error_code& problem,
                                     time_point now) {
  const std::lock_guard guard(mutex_);
  if (!lasts_.exchange(true)) since_ = now;
  const bool of_descriptors =
      problem == asio::error::no_descriptors || problem == std::errc::too_many_files_open_in_system;
  if (of_descriptors && now - since_ >= patience_duration) shed_ += shed(from);
  if (last_line_ != time_point::min() && now - last_line_ < between_lines) return {};
  last_line_ = now;
  std::string text = "cannot accept: " + problem.message();
  if (problem == asio::error::no_descriptors) text += " (raise ulimit -n)";
  if (now != since_) text += ", for " + seconds_between(since_, now);
  return line(text);
}

std::string accept_shortage::over(time_point now) {
  if (!lasts_.load()) return {};
  const std::lock_guard guard(mutex_);
  if (!lasts_.exchange(false) || now - since_ < between_lines) return {};
  last_line_ = now;
  return line("accepts again after " + seconds_between(since_, now));
}

}  // namespace umcg::http
