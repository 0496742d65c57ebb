// SPDX-License-Identifier: MIT
#include "umcg/os/child.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <utility>

#include "io/operations.hpp"
#include "net/error_code.hpp"
#include "os/path.hpp"
#include "os/spawn.hpp"
#include "umcg/cancellation.hpp"

namespace umcg::os {

namespace {

exit_status status_from(const siginfo_t& info) noexcept {
  if (info.si_code == CLD_EXITED) return {.code = info.si_status};
  return {.signal = info.si_status};
}

}  // namespace

child::child(child&& other) noexcept
    : id_(std::exchange(other.id_, 0)),
      own_group_(other.own_group_),
      ended_(std::move(other.ended_)),
      serial_(other.serial_),
      status_(other.status_),
      input_(std::move(other.input_)),
      output_(std::move(other.output_)),
      errors_(std::move(other.errors_)) {}

child& child::operator=(child&& other) noexcept {
  if (this == &other) return *this;
  end();
  id_ = std::exchange(other.id_, 0);
  own_group_ = other.own_group_;
  ended_ = std::move(other.ended_);
  serial_ = other.serial_;
  status_ = other.status_;
  input_ = std::move(other.input_);
  output_ = std::move(other.output_);
  errors_ = std::move(other.errors_);
  return *this;
}

child::~child() { end(); }

// Nothing but the end of the process is waited for: SIGKILL cannot be kept from it.
void child::end() noexcept {
  if (id_ == 0) return;
  const scope_shield shield;
  std::error_code error;
  send_signal(SIGKILL, error);
  do {
    wait(deadline::never(), error);
  } while (error && error != std::errc::no_child_process);
}

child child::start(const std::vector<std::string>& arguments, const child_options& options,
                   std::error_code& error) {
  spawned made = spawn(arguments, options, error);
  if (error) {
    error = net::named_error(error);
    return {};
  }
  child started;
  started.id_ = made.id;
  started.own_group_ = options.own_group;
  started.ended_ = file(made.ended.release());
  started.serial_ = io::new_serial();
  started.input_ = pipe_writer(made.ends[0].release());
  started.output_ = pipe_reader(made.ends[1].release());
  started.errors_ = pipe_reader(made.ends[2].release());
  return started;
}

child child::start(const std::vector<std::string>& arguments, const child_options& options) {
  std::error_code error;
  child started = start(arguments, options, error);
  throw_if(error, "start", arguments.empty() ? std::string() : arguments.front());
  return started;
}

exit_status child::wait(deadline until, std::error_code& error) {
  error.clear();
  if (id_ == 0) return status_;
  io::wait_until_ready({ended_.native_handle(), serial_}, POLLIN, until, error);
  siginfo_t info{};
  // It has ended: this does not wait.
  if (!error && ::waitid(P_PID, static_cast<id_t>(id_), &info, WEXITED) != 0) {
    error = std::error_code(errno, std::system_category());
  }
  if (error && error != std::errc::no_child_process) {
    error = net::named_error(error);
    return {};
  }
  id_ = 0;
  ended_.close();
  if (!error) status_ = status_from(info);
  return status_;
}

exit_status child::wait(deadline until) {
  std::error_code error;
  const exit_status status = wait(until, error);
  net::throw_if(error, "wait for a child");
  return status;
}

// The number is the child's until it is waited for, ended or not.
void child::send_signal(int signal, std::error_code& error) noexcept {
  error.clear();
  if (id_ == 0) {
    error = std::make_error_code(std::errc::no_such_process);
  } else if (::kill(own_group_ ? -id_ : id_, signal) != 0) {
    error = net::last_error();
  }
}

void child::send_signal(int signal) {
  std::error_code error;
  send_signal(signal, error);
  net::throw_if(error, "send a signal to a child");
}

}  // namespace umcg::os
