// SPDX-License-Identifier: MIT
#include "umcg/os/directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string_view>

#include <asio/error.hpp>

#include "base/unique_fd.hpp"
#include "io/file_calls.hpp"
#include "net/error_code.hpp"
#include "os/path.hpp"
#include "umcg/blocking_region.hpp"
#include "umcg/cancellation.hpp"

namespace umcg::os {

namespace {

void name_error(std::error_code& error) {
  if (error) error = net::named_error(error);
}

file_status status(const std::string& path, int flags, std::error_code& error) {
  struct statx about {};
  const char* const name = path_text(path, error);
  if (!error) io::status_of(name, flags, about, error);
  name_error(error);
  return error ? file_status() : status_from(about);
}

// What getdents64(2) has put into a buffer.
void append_entries(const std::byte* at, const std::byte* end, std::vector<directory_entry>& to) {
  while (at < end) {
    const auto* const entry = reinterpret_cast<const dirent64*>(at);
    at += entry->d_reclen;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      to.push_back({std::string(name), type_of_mode(static_cast<mode_t>(DTTOIF(entry->d_type)))});
    }
  }
}

// io_uring has no operation for it.
ssize_t read_entries(int fd, std::span<std::byte> into) noexcept {
  const blocking_region region;
  return ::getdents64(fd, into.data(), into.size());
}

}  // namespace

void rename(const std::string& from, const std::string& to, std::error_code& error) {
  const char* const old_name = path_text(from, error);
  const char* const new_name = error ? nullptr : path_text(to, error);
  if (!error) io::rename_file(old_name, new_name, error);
  name_error(error);
}

void rename(const std::string& from, const std::string& to) {
  std::error_code error;
  rename(from, to, error);
  throw_if(error, "rename", from);
}

void remove_file(const std::string& path, std::error_code& error) {
  const char* const name = path_text(path, error);
  if (!error) io::remove_file(name, 0, error);
  name_error(error);
}

void remove_file(const std::string& path) {
  std::error_code error;
  remove_file(path, error);
  throw_if(error, "remove", path);
}

void remove_directory(const std::string& path, std::error_code& error) {
  const char* const name = path_text(path, error);
  if (!error) io::remove_file(name, AT_REMOVEDIR, error);
  name_error(error);
}

void remove_directory(const std::string& path) {
  std::error_code error;
  remove_directory(path, error);
  throw_if(error, "remove the directory", path);
}

void make_directory(const std::string& path, mode_t permissions, std::error_code& error) {
  const char* const name = path_text(path, error);
  if (!error) io::make_directory(name, permissions, error);
  name_error(error);
}

void make_directory(const std::string& path, mode_t permissions) {
  std::error_code error;
  make_directory(path, permissions, error);
  throw_if(error, "make the directory", path);
}

file_status status(const std::string& path, std::error_code& error) {
  return status(path, 0, error);
}

file_status status(const std::string& path) {
  std::error_code error;
  const file_status about = status(path, error);
  throw_if(error, "status of", path);
  return about;
}

file_status link_status(const std::string& path, std::error_code& error) {
  return status(path, AT_SYMLINK_NOFOLLOW, error);
}

file_status link_status(const std::string& path) {
  std::error_code error;
  const file_status about = link_status(path, error);
  throw_if(error, "status of", path);
  return about;
}

std::vector<directory_entry> list_directory(const std::string& path, std::error_code& error) {
  std::vector<directory_entry> found;
  const char* const name = path_text(path, error);
  if (error) return found;
  const base::unique_fd directory(io::open_file(name, O_RDONLY | O_DIRECTORY, 0, error));
  name_error(error);
  alignas(dirent64) std::array<std::byte, 16 * 1024> part;
  while (!error) {
    if (cancellation_scope::cancelled()) {
      error = asio::error::operation_aborted;
      break;
    }
    const ssize_t size = read_entries(directory.get(), part);
    if (size == 0) return found;
    if (size < 0) {
      error = net::last_error();
    } else {
      append_entries(part.data(), part.data() + size, found);
    }
  }
  return {};
}

std::vector<directory_entry> list_directory(const std::string& path) {
  std::error_code error;
  std::vector<directory_entry> found = list_directory(path, error);
  throw_if(error, "list", path);
  return found;
}

}  // namespace umcg::os
