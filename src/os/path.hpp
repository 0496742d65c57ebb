// SPDX-License-Identifier: MIT
#pragma once

// What the functions on files and names share.

#include <sys/stat.h>

#include <string>
#include <system_error>

#include "umcg/os/status.hpp"

namespace umcg::os {

// The path as the kernel takes it. Null with invalid_argument if there is a zero in it: what is
// behind that would be lost.
const char* path_text(const std::string& path, std::error_code& error);

// Throws std::system_error with "<operation> <path>" in its text.
void throw_if(const std::error_code& error, const char* operation, const std::string& path);

file_type type_of_mode(mode_t mode) noexcept;
file_status status_from(const struct statx& about) noexcept;

}  // namespace umcg::os
