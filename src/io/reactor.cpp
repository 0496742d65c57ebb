// SPDX-License-Identifier: MIT
#include "io/reactor.hpp"

#include "io/uring_reactor.hpp"

namespace umcg::io {

made_reactor make_reactor(std::string_view name) {
  if (name == "auto" || name == "io_uring") return uring_reactor::make();
  return {nullptr, "reactor \"" + std::string(name) +
                       "\" is not available in this build: use auto or io_uring"};
}

}  // namespace umcg::io
