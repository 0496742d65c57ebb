// SPDX-License-Identifier: MIT
#pragma once

// Child processes. Starting one, its pipes and waiting for its end block the calling worker only.
//
//   const auto [status, text] = os::run({"git", "rev-parse", "HEAD"}, {}, deadline::after(2s));
//
// A child gets three descriptors, its standard streams, and no other; no signal blocked, SIGPIPE
// not ignored; and whatever else a program inherits: user, limits, the signals that are ignored.
// It is this library's to wait for: a program that ignores SIGCHLD, or waits for children that it
// does not know, takes the exit status away (no_child_process).

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "umcg/deadline.hpp"
#include "umcg/os/file.hpp"
#include "umcg/os/pipe.hpp"

namespace umcg::os {

// What one of a child's standard streams is.
class redirection {
 public:
  // The caller's own.
  static redirection inherited() noexcept { return redirection(target::inherited, -1); }
  // Nothing to read, and what is written is lost.
  static redirection null() noexcept { return redirection(target::null, -1); }
  // A pipe, whose other end is the child object's.
  static redirection piped() noexcept { return redirection(target::piped, -1); }
  // A file that is open until the child has been started.
  static redirection to(const file& opened) noexcept {
    return redirection(target::descriptor, opened.native_handle());
  }
  // For the errors only: where the output goes.
  static redirection with_output() noexcept { return redirection(target::output, -1); }

  enum class target : std::uint8_t { inherited, null, piped, descriptor, output };
  target where() const noexcept { return where_; }
  int descriptor() const noexcept { return descriptor_; }

 private:
  redirection(target where, int descriptor) noexcept : where_(where), descriptor_(descriptor) {}

  target where_;
  int descriptor_;
};

struct child_options {
  redirection input = redirection::null();
  redirection output = redirection::inherited();
  redirection errors = redirection::inherited();
  std::string directory = {};  // where it runs; empty: where the caller does
  // Each "NAME=value". None: the caller's environment.
  std::optional<std::vector<std::string>> environment = {};
  // It leads a group of its own, and signals go to all of that: to what it has started as well.
  bool own_group = false;
};

struct exit_status {
  int code = 0;    // what it has returned, 0 to 255
  int signal = 0;  // not 0: this has ended it
  bool success() const noexcept { return code == 0 && signal == 0; }
};

// Thread safety: one worker or thread at a time; the pipes are objects of their own.
class child {
 public:
  // No process.
  child() noexcept = default;
  child(child&& other) noexcept;
  child& operator=(child&& other) noexcept;
  child(const child&) = delete;
  child& operator=(const child&) = delete;
  // Kills a child that has not been waited for, and waits until it is gone, whatever scopes say: a
  // process never outlives its object, and no zombie is left.
  ~child();

  // Starts the program `arguments[0]`, which is looked for in PATH if it has no slash. Returns when
  // the program runs. Errors: no_such_file_or_directory (the program or the directory),
  // access_denied, invalid_argument (no arguments, a zero in one), no_descriptors, no_memory, ...
  static child start(const std::vector<std::string>& arguments, const child_options& options = {});
  static child start(const std::vector<std::string>& arguments, const child_options& options,
                     std::error_code& error);

  // The process id; 0: none, or waited for.
  pid_t id() const noexcept { return id_; }

  // Our ends of its standard streams; not open unless they are piped. Close input() to let it see
  // the end of its input.
  pipe_writer& input() noexcept { return input_; }
  pipe_reader& output() noexcept { return output_; }
  pipe_reader& errors() noexcept { return errors_; }

  // Blocks until it has ended, and says how; at once if it was waited for before. Errors:
  // timed_out, operation_aborted (it runs on), no_child_process.
  exit_status wait(deadline until = deadline::never());
  exit_status wait(deadline until, std::error_code& error);

  // Sends it a signal. Errors: no_such_process (it was waited for), no_permission.
  void send_signal(int signal);
  void send_signal(int signal, std::error_code& error) noexcept;

 private:
  void end() noexcept;

  pid_t id_ = 0;
  bool own_group_ = false;
  file ended_;  // a pidfd: can be read once the process has ended
  std::uint64_t serial_ = 0;
  exit_status status_;
  pipe_writer input_;
  pipe_reader output_;
  pipe_reader errors_;
};

struct run_options {
  std::string input = {};                         // what it can read
  redirection errors = redirection::inherited();  // not piped
  std::string directory = {};
  std::optional<std::vector<std::string>> environment = {};
  std::size_t output_bytes_max = std::size_t{16} << 20;
};

struct run_result {
  exit_status status;
  std::string output;
};

// Runs a program to its end and returns what it has written. At the deadline, when a scope ends the
// call, and when the output is too long, it is killed with all that it has started (but what has
// left its group). An output that somebody holds open who was started by it is waited for. Errors:
// timed_out, operation_aborted, message_size (more than output_bytes_max), and those of
// child::start(); `output` has then what came until then.
run_result run(const std::vector<std::string>& arguments, const run_options& options = {},
               deadline until = deadline::never());
run_result run(const std::vector<std::string>& arguments, const run_options& options,
               deadline until, std::error_code& error);

}  // namespace umcg::os
