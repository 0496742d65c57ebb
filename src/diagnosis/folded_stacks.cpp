// SPDX-License-Identifier: MIT
#include "diagnosis/folded_stacks.hpp"

#include <algorithm>
#include <bit>

namespace umcg::diagnosis {

namespace {

std::span<const std::uintptr_t> addresses_of(const call_stack& calls) noexcept {
  return {calls.addresses.data(), calls.depth};
}

std::uint64_t hash_of(const call_stack& calls, std::uint64_t kind) noexcept {
  constexpr std::uint64_t prime = 0x100000001b3;
  std::uint64_t hash = 0xcbf29ce484222325 ^ kind;
  for (const std::uintptr_t each : addresses_of(calls)) hash = (hash ^ each) * prime;
  return hash ^ (hash >> 32);
}

}  // namespace

folded_stacks::folded_stacks(std::size_t workers) noexcept
    : stacks_(workers),
      index_(std::bit_ceil(2 * workers + 1)),
      locations_(workers * call_stack::depth_max) {
  index_.resize(std::bit_ceil(2 * workers + 1));
}

std::uint32_t folded_stacks::add(const call_stack& calls, std::uint64_t kind) noexcept {
  const std::size_t mask = index_.size() - 1;
  for (std::size_t at = hash_of(calls, kind) & mask;; at = (at + 1) & mask) {
    std::uint32_t& number = index_[at];
    if (number == 0) {
      stacks_.push({calls, kind, 0});
      number = static_cast<std::uint32_t>(stacks_.size());
    }
    folded_stack& found = stacks_[number - 1];
    if (found.kind == kind && std::ranges::equal(addresses_of(found.calls), addresses_of(calls))) {
      ++found.count;
      return number - 1;
    }
  }
}

void folded_stacks::resolve(symbols& names) noexcept {
  for (const folded_stack& each : stacks_.all()) {
    for (const std::uintptr_t address : addresses_of(each.calls)) {
      location wanted;
      wanted.address = address;
      locations_.push(wanted);
    }
  }
  const auto all = locations_.all();
  std::ranges::sort(all, {}, &location::address);
  const auto is_same = [](const location& a, const location& b) { return a.address == b.address; };
  const auto end = std::unique(all.begin(), all.end(), is_same);
  locations_.resize(static_cast<std::size_t>(end - all.begin()));
  names.resolve(locations_.all());
}

const location* folded_stacks::find(std::uintptr_t address) noexcept {
  const auto all = locations_.all();
  const auto at = std::ranges::lower_bound(all, address, {}, &location::address);
  return at != all.end() && at->address == address ? &*at : nullptr;
}

}  // namespace umcg::diagnosis
