// SPDX-License-Identifier: MIT
#include "umcg/os/pipe.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <utility>

#include <asio/error.hpp>

#include "base/unique_fd.hpp"
#include "io/operations.hpp"
#include "net/error_code.hpp"

namespace umcg::os {

pipe_end::pipe_end(int fd) noexcept : fd_(fd), serial_(io::new_serial()) {}

pipe_end::pipe_end(pipe_end&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      serial_(other.serial_),
      deadline_(std::exchange(other.deadline_, deadline::never())) {}

pipe_end& pipe_end::operator=(pipe_end&& other) noexcept {
  if (this == &other) return *this;
  close();
  fd_ = std::exchange(other.fd_, -1);
  serial_ = other.serial_;
  deadline_ = std::exchange(other.deadline_, deadline::never());
  return *this;
}

std::size_t pipe_end::read(std::span<const iovec> into, std::error_code& error) {
  error.clear();
  if (into.empty()) return 0;
  const std::size_t count = io::read_some({fd_, serial_}, into, -1, deadline_, error);
  if (error) {
    error = net::named_error(error);
  } else if (count == 0) {
    error = asio::error::eof;
  }
  return count;
}

std::size_t pipe_end::write(std::span<const iovec> bytes, std::error_code& error) {
  error.clear();
  if (bytes.empty()) return 0;
  const std::size_t count = io::write_some({fd_, serial_}, bytes, -1, deadline_, error);
  if (error) error = net::named_error(error);
  return count;
}

void pipe_end::close() noexcept { base::unique_fd(release()).reset(); }

int pipe_end::release() noexcept { return std::exchange(fd_, -1); }

pipe make_pipe(std::error_code& error) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    error = net::last_error();
    return {};
  }
  error.clear();
  return {pipe_reader(ends[0]), pipe_writer(ends[1])};
}

pipe make_pipe() {
  std::error_code error;
  pipe made = make_pipe(error);
  net::throw_if(error, "make_pipe");
  return made;
}

}  // namespace umcg::os
