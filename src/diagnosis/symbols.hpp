// SPDX-License-Identifier: MIT
#pragma once

// Functions and lines of addresses, without a lock that anybody else could own, but for the C++
// names: the library that makes them readable allocates. That is done by a thread of its own
// (demangler.hpp), and what does not come in time is left out.

#include <array>
#include <optional>
#include <span>

#include "diagnosis/code_map.hpp"
#include "diagnosis/location.hpp"
#include "diagnosis/mapped_array.hpp"
#include "diagnosis/object_file.hpp"

namespace umcg::diagnosis {

class symbols {
 public:
  symbols() noexcept;
  symbols(const symbols&) = delete;
  symbols& operator=(const symbols&) = delete;

  code_map& code() noexcept { return code_; }

  // In the order of their addresses, which are all that is set. What it fills in lives as long as
  // this object.
  void resolve(std::span<location> wanted) noexcept;

 private:
  static constexpr std::size_t files_max = 64;

  void resolve_in_file(const code_mapping& mapping, std::span<location> wanted) noexcept;
  void make_readable(std::span<location> wanted) noexcept;

  code_map code_;
  std::array<std::optional<object_file>, files_max> files_;
  std::size_t files_used_ = 0;
  mapped_array<char> text_;
};

}  // namespace umcg::diagnosis
