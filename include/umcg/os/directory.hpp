// SPDX-License-Identifier: MIT
#pragma once

// Names: what is in a directory, and making, renaming and removing what is there; and whole files
// in one call. Each call blocks the calling worker only. Deadlines, cancellations, errors and
// relative paths: see umcg/os/file.hpp. Any thread may call any of these at any time.

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "umcg/os/status.hpp"

namespace umcg::os {

// Gives what `from` names the name `to`, in one step, in place of a file that has it. Errors:
// no_such_file_or_directory, cross_device_link, directory_not_empty, is_a_directory, ...
void rename(const std::string& from, const std::string& to);
void rename(const std::string& from, const std::string& to, std::error_code& error);

// Removes the name of a file that is no directory; the file goes with its last name and user.
void remove_file(const std::string& path);
void remove_file(const std::string& path, std::error_code& error);

// Removes an empty directory. Errors: directory_not_empty, not_a_directory, ...
void remove_directory(const std::string& path);
void remove_directory(const std::string& path, std::error_code& error);

// Makes one directory, with `permissions` less the umask. Errors: file_exists, ...
void make_directory(const std::string& path, mode_t permissions = 0777);
void make_directory(const std::string& path, mode_t permissions, std::error_code& error);

// Of what a name leads to; link_status(): of a symbolic link itself.
file_status status(const std::string& path);
file_status status(const std::string& path, std::error_code& error);
file_status link_status(const std::string& path);
file_status link_status(const std::string& path, std::error_code& error);

struct directory_entry {
  std::string name;                     // without the directory
  file_type type = file_type::unknown;  // unknown also where the file system does not say
};

// All entries but "." and "..", in the order of the file system. Errors: not_a_directory, ...
std::vector<directory_entry> list_directory(const std::string& path);
std::vector<directory_entry> list_directory(const std::string& path, std::error_code& error);

// The contents of a file, which has at most `size_bytes_max` of them. Errors: file_too_large, and
// those of file::open() and read_some().
std::string read_file(const std::string& path, std::size_t size_bytes_max = std::size_t{1} << 30);
std::string read_file(const std::string& path, std::size_t size_bytes_max, std::error_code& error);

// Writes `contents` to a new file beside `path`, waits until they are on the disk, and gives it
// that name: whoever opens `path`, at any time and after a loss of power, finds all of the old
// contents or all of the new ones. A symbolic link at `path` is replaced, not followed. The new
// file is the caller's, with `permissions` less the umask. After an error the old file is there; a
// new one that is half done is removed, in cancelled scopes too.
void write_file_atomically(const std::string& path, std::string_view contents,
                           mode_t permissions = 0666);
void write_file_atomically(const std::string& path, std::string_view contents, mode_t permissions,
                           std::error_code& error);

}  // namespace umcg::os
