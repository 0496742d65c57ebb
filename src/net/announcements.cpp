// SPDX-License-Identifier: MIT
#include "net/announcements.hpp"

#include <mutex>
#include <unordered_map>
#include <utility>

namespace umcg::net {
namespace {

struct table {
  std::mutex mutex;
  std::unordered_map<std::uint64_t, proxy_header> of_serial;  // under the mutex
};

// Never destroyed: streams may outlive the statics.
table& all() {
  static table& only = *new table();
  return only;
}

}  // namespace

void keep_announcement(std::uint64_t serial, proxy_header header) {
  const std::lock_guard guard(all().mutex);
  all().of_serial.emplace(serial, std::move(header));
}

std::optional<proxy_header> find_announcement(std::uint64_t serial) {
  const std::lock_guard guard(all().mutex);
  const auto found = all().of_serial.find(serial);
  return found == all().of_serial.end() ? std::nullopt : std::optional(found->second);
}

void forget_announcement(std::uint64_t serial) noexcept {
  const std::lock_guard guard(all().mutex);
  all().of_serial.erase(serial);
}

}  // namespace umcg::net
