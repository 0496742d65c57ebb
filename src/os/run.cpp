// SPDX-License-Identifier: MIT

// run(): a program from its beginning to its end, in one call.

#include <signal.h>
#include <sys/mman.h>

#include <algorithm>

#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/write.hpp>

#include "net/error_code.hpp"
#include "os/path.hpp"
#include "umcg/os/child.hpp"

namespace umcg::os {

namespace {

// All of the input, to be read by the child at its own pace: a file in memory, since nobody would
// write to a pipe while the output is read.
file input_file(const std::string& bytes, std::error_code& error) {
  file made(::memfd_create("umcg-child-input", MFD_CLOEXEC));
  if (!made.is_open()) {
    error = net::last_error();
    return made;
  }
  asio::write(made, asio::buffer(bytes), error);
  if (!error) made.seek(0, error);
  return made;
}

// Until everybody who could write has closed it.
std::string read_output(pipe_reader& from, std::size_t size_max, std::error_code& error) {
  constexpr std::size_t part = 16 * 1024;
  std::string output;
  std::size_t size = 0;
  while (!error) {
    output.resize(size + part);
    size += from.read_some(asio::buffer(output.data() + size, part), error);
    if (!error && size > size_max) error = asio::error::message_size;
  }
  output.resize(std::min(size, size_max));
  if (error == asio::error::eof) error.clear();
  return output;
}

}  // namespace

run_result run(const std::vector<std::string>& arguments, const run_options& options,
               deadline until, std::error_code& error) {
  error.clear();
  run_result result;
  if (options.errors.where() == redirection::target::piped) {
    error = asio::error::invalid_argument;  // nobody would read it
    return result;
  }
  file input;
  if (!options.input.empty()) input = input_file(options.input, error);
  if (error) return result;
  child running =
      child::start(arguments,
                   {.input = input.is_open() ? redirection::to(input) : redirection::null(),
                    .output = redirection::piped(),
                    .errors = options.errors,
                    .directory = options.directory,
                    .environment = options.environment,
                    .own_group = true},
                   error);
  if (error) return result;
  input.close();
  running.output().expires_at(until);
  result.output = read_output(running.output(), options.output_bytes_max, error);
  if (!error) result.status = running.wait(until, error);
  return result;
}

run_result run(const std::vector<std::string>& arguments, const run_options& options,
               deadline until) {
  std::error_code error;
  run_result result = run(arguments, options, until, error);
  throw_if(error, "run", arguments.empty() ? std::string() : arguments.front());
  return result;
}

}  // namespace umcg::os
