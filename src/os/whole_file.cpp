// SPDX-License-Identifier: MIT

// Whole files in one call: read_file() and write_file_atomically().

#include <fcntl.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/write.hpp>

#include "base/unique_fd.hpp"
#include "io/file_calls.hpp"
#include "net/error_code.hpp"
#include "os/path.hpp"
#include "umcg/cancellation.hpp"
#include "umcg/os/directory.hpp"
#include "umcg/os/file.hpp"

namespace umcg::os {

namespace {

// Beside `path`, so on the same file system, and hidden; nobody else's.
std::string temporary_name(const std::string& path) {
  std::uint64_t number = 0;
  while (::getrandom(&number, sizeof number, 0) != sizeof number) continue;
  constexpr std::size_t digits_max = 16;
  std::array<char, digits_max> digits{};
  char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
  const std::size_t begin = path.rfind('/') + 1;  // npos + 1 is 0
  return path.substr(0, begin) + "." + path.substr(begin) + "." + std::string(digits.data(), end);
}

void write_new_file(const std::string& name, std::string_view contents, mode_t permissions,
                    std::error_code& error) {
  file made = file::open(
      name,
      {.read = false, .write = true, .create = true, .exclusive = true, .permissions = permissions},
      error);
  if (error) return;
  asio::write(made, asio::buffer(contents), error);
  if (!error) made.sync(error);
}

// So that the new name outlives a loss of power.
void sync_directory_of(const std::string& path, std::error_code& error) {
  const std::size_t end = path.rfind('/');
  const std::string directory = end == std::string::npos ? "." : path.substr(0, end + 1);
  const base::unique_fd opened(io::open_file(directory.c_str(), O_RDONLY | O_DIRECTORY, 0, error));
  if (!error) io::sync_file(opened.get(), false, error);
  if (error) error = net::named_error(error);
}

}  // namespace

std::string read_file(const std::string& path, std::size_t size_bytes_max, std::error_code& error) {
  std::string contents;
  file from = file::open(path, {}, error);
  if (error) return contents;
  const file_status about = from.status(error);
  if (error) return contents;
  // One more than is expected: the end is seen without a further round. The size of some files,
  // such as those in /proc, is said to be nothing.
  constexpr std::size_t part_bytes_min = 4096;
  std::size_t part = std::max<std::size_t>(std::min<std::uint64_t>(about.size, size_bytes_max) + 1,
                                           part_bytes_min);
  std::size_t size = 0;
  while (!error && size <= size_bytes_max) {
    contents.resize(size + part);
    size += from.read_some(asio::buffer(contents.data() + size, part), error);
    part = part_bytes_min + size;
  }
  contents.resize(error == asio::error::eof ? size : 0);
  if (error == asio::error::eof) {
    error.clear();
  } else if (!error) {
    error = std::make_error_code(std::errc::file_too_large);
  }
  return contents;
}

std::string read_file(const std::string& path, std::size_t size_bytes_max) {
  std::error_code error;
  std::string contents = read_file(path, size_bytes_max, error);
  throw_if(error, "read", path);
  return contents;
}

void write_file_atomically(const std::string& path, std::string_view contents, mode_t permissions,
                           std::error_code& error) {
  const std::string name = temporary_name(path);
  write_new_file(name, contents, permissions, error);
  if (!error) rename(name, path, error);
  if (!error) return sync_directory_of(path, error);
  if (error == std::errc::file_exists) return;  // not ours
  const scope_shield shield;
  std::error_code ignored;
  remove_file(name, ignored);
}

void write_file_atomically(const std::string& path, std::string_view contents, mode_t permissions) {
  std::error_code error;
  write_file_atomically(path, contents, permissions, error);
  throw_if(error, "write", path);
}

}  // namespace umcg::os
