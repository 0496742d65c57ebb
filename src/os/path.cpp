// SPDX-License-Identifier: MIT
#include "os/path.hpp"

#include <asio/error.hpp>

namespace umcg::os {

const char* path_text(const std::string& path, std::error_code& error) {
  error.clear();
  if (path.find('\0') == std::string::npos) return path.c_str();
  error = asio::error::invalid_argument;
  return nullptr;
}

void throw_if(const std::error_code& error, const char* operation, const std::string& path) {
  if (error) throw std::system_error(error, std::string(operation) + " " + path);
}

file_type type_of_mode(mode_t mode) noexcept {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return file_type::regular;
    case S_IFDIR:
      return file_type::directory;
    case S_IFLNK:
      return file_type::symbolic_link;
    case S_IFIFO:
      return file_type::fifo;
    case S_IFSOCK:
      return file_type::socket;
    case S_IFBLK:
      return file_type::block_device;
    case S_IFCHR:
      return file_type::character_device;
    default:
      return file_type::unknown;
  }
}

file_status status_from(const struct statx& about) noexcept {
  constexpr mode_t permission_bits = 07777;
  const std::chrono::sys_seconds second{std::chrono::seconds(about.stx_mtime.tv_sec)};
  return {.type = type_of_mode(about.stx_mode),
          .permissions = about.stx_mode & permission_bits,
          .size = about.stx_size,
          .links = about.stx_nlink,
          .owner = about.stx_uid,
          .group = about.stx_gid,
          .inode = about.stx_ino,
          .modified = second + std::chrono::nanoseconds(about.stx_mtime.tv_nsec)};
}

}  // namespace umcg::os
