// SPDX-License-Identifier: MIT
#include "os/spawn.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "umcg/blocking_region.hpp"

namespace umcg::os {

namespace {

constexpr int first_other = 3;  // behind the standard streams

std::error_code system_error(int number) { return {number, std::system_category()}; }

bool has_zero(std::string_view text) { return text.find('\0') != std::string_view::npos; }

// Texts as the kernel takes them.
class text_list {
 public:
  explicit text_list(const std::vector<std::string>& texts) {
    pointers_.reserve(texts.size() + 1);
    for (const std::string& text : texts) pointers_.push_back(const_cast<char*>(text.c_str()));
    pointers_.push_back(nullptr);
  }
  char** data() noexcept { return pointers_.data(); }

 private:
  std::vector<char*> pointers_;
};

// A copy of the descriptor that no standard stream of the child has for its number: these are
// replaced one after the other, and the first would take the source from a later one.
base::unique_fd out_of_the_way(int fd, std::error_code& error) {
  base::unique_fd copy(::fcntl(fd, F_DUPFD_CLOEXEC, first_other));
  if (!copy) error = system_error(errno);
  return copy;
}

// What the child does to its descriptors and directory.
class file_actions {
 public:
  file_actions() { ::posix_spawn_file_actions_init(&actions_); }
  ~file_actions() { ::posix_spawn_file_actions_destroy(&actions_); }
  file_actions(const file_actions&) = delete;
  file_actions& operator=(const file_actions&) = delete;

  // The child's descriptor `number`. Returns our end, if it is piped.
  base::unique_fd redirect(int number, const redirection& how, std::error_code& error) {
    switch (how.where()) {
      case redirection::target::inherited:
        return {};
      case redirection::target::null:
        note(::posix_spawn_file_actions_addopen(&actions_, number, "/dev/null", O_RDWR, 0), error);
        return {};
      case redirection::target::piped:
        return redirect_to_pipe(number, error);
      case redirection::target::descriptor:
        replace(number, out_of_the_way(how.descriptor(), error), error);
        return {};
      case redirection::target::output:
        note(::posix_spawn_file_actions_adddup2(&actions_, STDOUT_FILENO, number), error);
        return {};
    }
    return {};
  }

  // To be called last. The child gets nothing but its standard streams, whether others have set
  // close-on-exec for their descriptors or not.
  void finish(const std::string& directory, std::error_code& error) {
    note(::posix_spawn_file_actions_addclosefrom_np(&actions_, first_other), error);
    if (directory.empty()) return;
    note(::posix_spawn_file_actions_addchdir_np(&actions_, directory.c_str()), error);
  }

  const posix_spawn_file_actions_t& native() const noexcept { return actions_; }

 private:
  static void note(int failed, std::error_code& error) {
    if (failed != 0 && !error) error = system_error(failed);
  }

  void replace(int number, base::unique_fd source, std::error_code& error) {
    if (error) return;
    note(::posix_spawn_file_actions_adddup2(&actions_, source.get(), number), error);
    sources_[static_cast<std::size_t>(number)] = std::move(source);
  }

  base::unique_fd redirect_to_pipe(int number, std::error_code& error) {
    std::array<int, 2> made{};
    if (::pipe2(made.data(), O_CLOEXEC) != 0) {
      note(errno, error);
      return {};
    }
    std::array<base::unique_fd, 2> ends{base::unique_fd(made[0]), base::unique_fd(made[1])};
    const std::size_t its = number == STDIN_FILENO ? 0 : 1;
    replace(number, out_of_the_way(ends[its].get(), error), error);
    return std::move(ends[1 - its]);
  }

  posix_spawn_file_actions_t actions_;
  std::array<base::unique_fd, first_other> sources_;  // open until the child runs
};

// Its signals and group. The caller's mask is a carrier's, which blocks nearly everything, and a
// program inherits it; servers ignore SIGPIPE, and a program that does so writes on for ever.
class attributes {
 public:
  explicit attributes(bool own_group) {
    ::posix_spawnattr_init(&attributes_);
    sigset_t signals;
    sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    sigaddset(&signals, SIGPIPE);
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
    int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (own_group) flags |= POSIX_SPAWN_SETPGROUP;  // 0, a new one, is the default
    ::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
  }
  ~attributes() { ::posix_spawnattr_destroy(&attributes_); }
  attributes(const attributes&) = delete;
  attributes& operator=(const attributes&) = delete;

  const posix_spawnattr_t& native() const noexcept { return attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

bool is_valid(const std::vector<std::string>& arguments, const child_options& options) {
  if (arguments.empty() || has_zero(options.directory)) return false;
  if (std::ranges::any_of(arguments, has_zero)) return false;
  return !options.environment || !std::ranges::any_of(*options.environment, has_zero);
}

// Without one, nobody could wait for the child but by blocking.
base::unique_fd end_of(pid_t id, std::error_code& error) {
  base::unique_fd ended(static_cast<int>(::syscall(SYS_pidfd_open, id, 0)));
  if (ended) return ended;
  error = system_error(errno);
  ::kill(id, SIGKILL);
  siginfo_t ignored;
  while (::waitid(P_PID, static_cast<id_t>(id), &ignored, WEXITED) != 0 && errno == EINTR) continue;
  return {};
}

}  // namespace

spawned spawn(const std::vector<std::string>& arguments, const child_options& options,
              std::error_code& error) {
  error.clear();
  if (!is_valid(arguments, options)) {
    error = system_error(EINVAL);
    return {};
  }
  file_actions actions;
  spawned made;
  made.ends[STDIN_FILENO] = actions.redirect(STDIN_FILENO, options.input, error);
  made.ends[STDOUT_FILENO] = actions.redirect(STDOUT_FILENO, options.output, error);
  made.ends[STDERR_FILENO] = actions.redirect(STDERR_FILENO, options.errors, error);
  actions.finish(options.directory, error);
  if (error) return {};
  const attributes about(options.own_group);
  text_list words(arguments);
  std::optional<text_list> environment;
  if (options.environment) environment.emplace(*options.environment);
  // Until the program runs, or could not be executed, its maker is stopped (vfork).
  const blocking_region region;
  const int failed = ::posix_spawnp(&made.id, words.data()[0], &actions.native(), &about.native(),
                                    words.data(), environment ? environment->data() : ::environ);
  if (failed != 0) {
    error = system_error(failed);
    return {};
  }
  made.ended = end_of(made.id, error);
  return made;
}

}  // namespace umcg::os
