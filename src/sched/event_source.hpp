// SPDX-License-Identifier: MIT
#pragma once

// What a server loop needs of the reactor above it: something that makes its workers idle again,
// and in which the server sleeps while none is.

#include "libumcg/group.hpp"

namespace umcg::sched {

class event_source : public libumcg::parking {
 public:
  // Called once by the server, on its own thread, before anything else; and at its end.
  virtual void attach(libumcg::task& server) noexcept = 0;
  virtual void detach() noexcept = 0;

  // Submits what is waiting and publishes the workers whose operations are complete, without
  // sleeping.
  virtual void poll() noexcept = 0;

  // Whether something that was submitted is not complete: then the server's sleep may end by
  // itself. True also where that is not known.
  virtual bool has_operations() const noexcept { return true; }
};

}  // namespace umcg::sched
