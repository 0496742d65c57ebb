// SPDX-License-Identifier: MIT
#pragma once

// Finds the certificates for a DNS name: those that have the name itself, before those that have it
// by a wildcard. RFC 9525 6.3: "*" stands for exactly one label, is all of it, and the first one.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace umcg::tls {

class name_index {
 public:
  // Certificate `number` is for `name`. Names that are no DNS names, or have a "*" elsewhere, are
  // for nobody.
  void add(std::string_view name, std::size_t number);

  // In the order in which they were added; none: empty. Case and a dot at the end do not matter.
  std::span<const std::size_t> find(std::string_view name) const;

 private:
  std::unordered_map<std::string, std::vector<std::size_t>> exact_;
  std::unordered_map<std::string, std::vector<std::size_t>> below_;  // ".example.com"
};

}  // namespace umcg::tls
