// SPDX-License-Identifier: MIT
#include "posix/c_library.hpp"

#include <dlfcn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstddef>

// Null unless a sanitizer that watches locks is linked into the program.
extern "C" [[gnu::weak]] int __interceptor_pthread_mutex_lock(pthread_mutex_t*);  // NOLINT

namespace umcg::posix::c_library {

namespace {

void* sanitizers_function(const char* name) noexcept {
  if (__interceptor_pthread_mutex_lock == nullptr) return nullptr;
  std::array<char, 64> text{"__interceptor_"};
  std::size_t length = 0;
  while (text[length] != '\0') ++length;
  while (*name != '\0' && length + 1 < text.size()) text[length++] = *name++;
  return ::dlsym(RTLD_DEFAULT, text.data());
}

template <class Function>
class function {
 public:
  explicit constexpr function(const char* name) noexcept : name_(name) {}

  // Null: there is none.
  Function* find() noexcept {
    void* found = sanitizers_function(name_);
    if (found == nullptr) found = ::dlsym(RTLD_NEXT, name_);
    Function* const address = reinterpret_cast<Function*>(found);
    found_.store(address);
    return address;
  }
  Function& operator*() noexcept {
    Function* const known = found_.load();
    return known != nullptr ? *known : *find();
  }

 private:
  const char* const name_;
  std::atomic<Function*> found_{nullptr};
};

constinit function<int(pthread_mutex_t*)> real_lock("pthread_mutex_lock");
constinit function<int(pthread_mutex_t*, const timespec*)> real_timedlock(
    "pthread_mutex_timedlock");
constinit function<int(pthread_mutex_t*, clockid_t, const timespec*)> real_clocklock(
    "pthread_mutex_clocklock");
constinit function<int(pthread_mutex_t*)> real_unlock("pthread_mutex_unlock");
constinit function<int(pthread_cond_t*)> real_signal("pthread_cond_signal");
constinit function<int(pthread_cond_t*)> real_broadcast("pthread_cond_broadcast");
constinit function<int(pthread_cond_t*, pthread_mutex_t*)> real_wait("pthread_cond_wait");
constinit function<int(pthread_cond_t*, pthread_mutex_t*, const timespec*)> real_timedwait(
    "pthread_cond_timedwait");
constinit function<int(pthread_cond_t*, pthread_mutex_t*, clockid_t, const timespec*)>
    real_clockwait("pthread_cond_clockwait");

bool knows_mutexes() noexcept {
  pthread_mutexattr_t attributes;
  pthread_mutex_t tried;
  ::pthread_mutexattr_init(&attributes);
  ::pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  ::pthread_mutex_init(&tried, &attributes);
  ::pthread_mutexattr_destroy(&attributes);
  (*real_lock)(&tried);
  (*real_lock)(&tried);
  const bool known = is_recursive(tried) && is_plain(tried) && depth_of(tried) == 2 &&
                     owner_of(tried) == static_cast<int>(::syscall(SYS_gettid));
  (*real_unlock)(&tried);
  (*real_unlock)(&tried);
  const bool forgets = owner_of(tried) == 0;
  ::pthread_mutex_destroy(&tried);
  return known && forgets;
}

bool knows_conditions() noexcept {
  pthread_condattr_t attributes;
  pthread_cond_t tried;
  ::pthread_condattr_init(&attributes);
  ::pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  ::pthread_cond_init(&tried, &attributes);
  const bool of_process = !is_shared(tried) && clock_of(tried) == CLOCK_MONOTONIC;
  ::pthread_cond_destroy(&tried);
  ::pthread_condattr_setclock(&attributes, CLOCK_REALTIME);
  ::pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  ::pthread_cond_init(&tried, &attributes);
  const bool shared = is_shared(tried) && clock_of(tried) == CLOCK_REALTIME;
  ::pthread_cond_destroy(&tried);
  ::pthread_condattr_destroy(&attributes);
  return of_process && shared;
}

}  // namespace

int lock(pthread_mutex_t& mutex, time_limit limit) noexcept {
  if (limit.at == nullptr) return (*real_lock)(&mutex);
  if (limit.clock == CLOCK_REALTIME) return (*real_timedlock)(&mutex, limit.at);
  return (*real_clocklock)(&mutex, limit.clock, limit.at);
}

int unlock(pthread_mutex_t& mutex) noexcept { return (*real_unlock)(&mutex); }

int signal_one(pthread_cond_t& condition) noexcept { return (*real_signal)(&condition); }

int signal_all(pthread_cond_t& condition) noexcept { return (*real_broadcast)(&condition); }

int wait(pthread_cond_t& condition, pthread_mutex_t& mutex) {
  return (*real_wait)(&condition, &mutex);
}

int timed_wait(pthread_cond_t& condition, pthread_mutex_t& mutex, const timespec& until) {
  return (*real_timedwait)(&condition, &mutex, &until);
}

int clock_wait(pthread_cond_t& condition, pthread_mutex_t& mutex, time_limit limit) {
  return (*real_clockwait)(&condition, &mutex, limit.clock, limit.at);
}

const char* find() noexcept {
  const bool all = real_lock.find() != nullptr && real_timedlock.find() != nullptr &&
                   real_clocklock.find() != nullptr && real_unlock.find() != nullptr &&
                   real_signal.find() != nullptr && real_broadcast.find() != nullptr &&
                   real_wait.find() != nullptr && real_timedwait.find() != nullptr &&
                   real_clockwait.find() != nullptr;
  return all ? nullptr : "the C library lacks one of the functions (glibc 2.30 has all)";
}

const char* examine() noexcept {
  return knows_mutexes() && knows_conditions()
             ? nullptr
             : "this C library lays out its locks in a way that is not known";
}

}  // namespace umcg::posix::c_library
