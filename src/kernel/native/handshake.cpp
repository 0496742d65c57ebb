// SPDX-License-Identifier: MIT
#include "kernel/native/handshake.hpp"

#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>

namespace umcg::kernel::native {

namespace {

std::string not_umcg(const char* question, long answer) {
  return std::string("this kernel does not carry the UMCG patches (v0.9.1): ") + question + ": " +
         (answer == 0 ? "no error" : std::strerror(static_cast<int>(-answer)));
}

std::string ask(system_calls& calls) {
  kernel_task self;
  self.state.begin(kernel_state::running);
  if (const long answer = calls.ctl(register_thread, &self); answer != 0) {
    return not_umcg("umcg_ctl does not register a thread", answer);
  }
  if (const long answer = calls.ctl(register_thread, &self); answer != -EINVAL) {
    return not_umcg("umcg_ctl registers a thread twice", answer);
  }
  if (const long answer = calls.ctl(unregister_thread, nullptr); answer != 0) {
    return not_umcg("umcg_ctl does not unregister a thread", answer);
  }
  if (const long answer = calls.ctl(unregister_thread, nullptr); answer != -EINVAL) {
    return not_umcg("umcg_ctl unregisters a thread twice", answer);
  }
  if (const long answer = calls.wait(wake_only); answer != -EINVAL) {
    return not_umcg("umcg_wait serves a thread that is not registered", answer);
  }
  return {};
}

}  // namespace

std::string examine_kernel(system_calls& calls) {
  std::string problem;
  try {
    std::thread([&] { problem = ask(calls); }).join();
  } catch (const std::system_error& failure) {
    problem = std::string("no thread to ask the kernel on: ") + failure.what();
  }
  return problem;
}

}  // namespace umcg::kernel::native
