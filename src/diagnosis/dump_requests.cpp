// SPDX-License-Identifier: MIT
// Dumps on a signal and by a call.
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "base/short_lock.hpp"
#include "base/unique_fd.hpp"
#include "diagnosis/attendant.hpp"
#include "umcg/blocking_region.hpp"
#include "umcg/diagnosis.hpp"

namespace umcg::diagnosis {

namespace {

struct handled_signal {
  base::short_lock lock;
  int signal UMCG_GUARDED_BY(lock) = 0;
  struct sigaction before {};  // fixed while `signal` is installed
};
constinit handled_signal handled{};

void on_signal(int signal, siginfo_t* info, void* state) {
  ask_for_dump();
  const struct sigaction& before = handled.before;
  if ((before.sa_flags & SA_SIGINFO) != 0) {
    before.sa_sigaction(signal, info, state);
  } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(signal);
  }
}

std::error_code system_error(int number) noexcept { return {number, std::system_category()}; }

// Under the lock. Returns 0 or an error number.
int install(int signal) noexcept {
  struct sigaction action {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigfillset(&action.sa_mask);
  return ::sigaction(signal, &action, &handled.before) == 0 ? 0 : errno;
}

}  // namespace

void dump_workers(int fd, std::error_code& error) {
  error = system_error(start_attendant());
  if (error) return;
  const blocking_region region;
  error = system_error(await_dump(fd));
}

void dump_workers(int fd) {
  std::error_code error;
  dump_workers(fd, error);
  if (error) throw std::system_error(error, "workers could not be dumped");
}

std::string dump_workers(std::error_code& error) {
  const base::unique_fd file(::memfd_create("umcg-dump", MFD_CLOEXEC));
  error = file ? std::error_code() : system_error(errno);
  if (!error) dump_workers(file.get(), error);
  if (error) return {};
  std::string text(static_cast<std::size_t>(::lseek(file.get(), 0, SEEK_END)), '\0');
  const ssize_t count = ::pread(file.get(), text.data(), text.size(), 0);
  if (count < 0) error = system_error(errno);
  text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  return text;
}

std::string dump_workers() {
  std::error_code error;
  std::string text = dump_workers(error);
  if (error) throw std::system_error(error, "workers could not be dumped");
  return text;
}

void dump_on_signal(int signal, std::error_code& error) noexcept {
  error = system_error(signal != 0 ? start_attendant() : 0);
  if (error) return;
  const base::short_guard guard(handled.lock);
  if (signal == handled.signal) return;
  const int earlier = handled.signal;
  const struct sigaction earlier_before = handled.before;
  if (signal != 0) error = system_error(install(signal));
  if (error) return;
  if (earlier != 0) ::sigaction(earlier, &earlier_before, nullptr);
  handled.signal = signal;
  if (signal != 0) take_signal(signal);
}

}  // namespace umcg::diagnosis
