// SPDX-License-Identifier: MIT
#include "io/uring_reactor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <utility>

#include "base/assert.hpp"
#include "io/file_calls.hpp"
#include "libumcg/scheduling.hpp"

namespace umcg::io {

namespace {

constexpr unsigned entries = 4096;
constexpr unsigned completions = 4 * entries;

// What a completion belongs to, in the low bits of its user data; the rest is the operation's
// address.
enum class tag : std::uint64_t { operation, first_part, unpark, alarm, ignored };
constexpr std::uint64_t tag_mask = 7;
static_assert(alignof(operation) > tag_mask);

// A deadline at least so far away is left to a timeout in the ring. A new one is needed only when
// an earlier deadline comes up, so a service whose deadlines move on with each request seldom needs
// one, while a wait with a timeout sets a timer and takes it back each time. What nobody needs any
// more stays in the ring until it passes.
constexpr deadline::clock::duration alarm_least = std::chrono::seconds(1);

std::uint64_t user_data(const operation& of, tag part) noexcept {
  return reinterpret_cast<std::uint64_t>(&of) | static_cast<std::uint64_t>(part);
}

// The number in the file of a sysctl, or nothing if there is none.
std::optional<int> sysctl(const char* path) {
  std::ifstream file(path);
  int value = 0;
  return file >> value ? std::optional(value) : std::nullopt;
}

// The kernel says why it refuses in an error number; this says what to do about it.
std::string explain(int error) {
  std::string what = std::string("io_uring: ") + std::strerror(error);
  switch (error) {
    case EPERM: {
      const auto disabled = sysctl("/proc/sys/kernel/io_uring_disabled");
      if (!disabled || *disabled == 0) return what + " (by a seccomp profile or another policy)";
      return what + " (sysctl kernel.io_uring_disabled is " + std::to_string(*disabled) + ")";
    }
    case EACCES:
      return what + " (by a security policy)";
    case ENOSYS:
      return what + " (not in this kernel, or refused by a seccomp profile)";
    case EINVAL:
    case EOPNOTSUPP:
      return what + " (needs Linux 5.19 or later: IORING_SETUP_COOP_TASKRUN)";
    case ENOMEM:
      return what + " (raise the limit on locked memory, ulimit -l)";
    default:
      return what;
  }
}

void prepare_vector(io_uring_sqe& entry, const operation& wanted) noexcept {
  const auto count = static_cast<unsigned>(wanted.buffers.size());
  const auto offset = static_cast<std::uint64_t>(wanted.offset);
  if (wanted.what == action::read_vector) {
    ::io_uring_prep_readv(&entry, wanted.fd, wanted.buffers.data(), count, offset);
  } else {
    ::io_uring_prep_writev(&entry, wanted.fd, wanted.buffers.data(), count, offset);
  }
}

void prepare_file_call(io_uring_sqe& entry, const operation& wanted) noexcept {
  const file_call& call = *wanted.call;
  switch (wanted.what) {
    case action::open:
      // At once by a thread of the kernel's: it first tries with O_NONBLOCK otherwise, which means
      // something to FIFOs and devices, and takes what comes of that for the result.
      ::io_uring_prep_openat(&entry, AT_FDCWD, call.path, call.flags, call.mode);
      return ::io_uring_sqe_set_flags(&entry, IOSQE_ASYNC);
    case action::sync:
      return ::io_uring_prep_fsync(&entry, wanted.fd, call.data_only ? IORING_FSYNC_DATASYNC : 0);
    case action::status:
      return ::io_uring_prep_statx(&entry, wanted.fd, call.path, call.flags, STATX_BASIC_STATS,
                                   call.into);
    case action::rename:
      return ::io_uring_prep_renameat(&entry, AT_FDCWD, call.path, AT_FDCWD, call.other_path, 0);
    case action::remove:
      return ::io_uring_prep_unlinkat(&entry, AT_FDCWD, call.path, call.flags);
    case action::make_directory:
      return ::io_uring_prep_mkdirat(&entry, AT_FDCWD, call.path, call.mode);
    default:
      UMCG_ASSERT(false && "not a file call");
  }
}

}  // namespace

made_reactor uring_reactor::make(uring_kernel& kernel) {
  std::unique_ptr<uring_reactor> made(new uring_reactor(kernel));
  made->bell_ = kernel.create_bell();
  if (made->bell_ < 0) return {nullptr, std::string("eventfd: ") + std::strerror(-made->bell_)};
  io_uring_params parameters{};
  parameters.flags = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
                     IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
  parameters.cq_entries = completions;
  if (const int failed = kernel.create(made->ring_, entries, parameters)) {
    return {nullptr, explain(-failed)};
  }
  made->ring_exists_ = true;
  constexpr unsigned needed = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP;
  if ((parameters.features & needed) != needed) return {nullptr, explain(EINVAL)};
  if (const int failed = kernel.try_out(made->ring_)) return {nullptr, explain(-failed)};
  return {std::move(made), "reactor io_uring"};
}

uring_reactor::~uring_reactor() {
  if (ring_exists_) kernel_.destroy(ring_);
  if (bell_ >= 0) kernel_.close(bell_);
}

// The kernel takes no more submissions while completions that found no room wait for it: reaping
// makes room for both.
void uring_reactor::make_room(unsigned entries_needed) noexcept {
  while (::io_uring_sq_space_left(&ring_) < entries_needed) {
    if (kernel_.submit(ring_) >= 0) continue;
    kernel_.get_events(ring_);  // brings in the completions that found no room
    reap();
  }
}

io_uring_sqe& uring_reactor::next_entry() noexcept {
  make_room(1);
  return *::io_uring_get_sqe(&ring_);
}

void uring_reactor::listen_for_unpark() noexcept {
  if (std::exchange(listens_, true)) return;
  io_uring_sqe& entry = next_entry();
  ::io_uring_prep_read(&entry, bell_, &unpark_count_, sizeof unpark_count_, 0);
  ::io_uring_sqe_set_data64(&entry, static_cast<std::uint64_t>(tag::unpark));
}

// Both at once and in this order: the receive begins when all is sent, and a send that fails or
// falls short cancels it. One completion comes of the two: the receive's, or that of the send that
// failed (IOSQE_CQE_SKIP_SUCCESS silences the send that succeeds, and what is linked behind one
// that fails).
void uring_reactor::prepare_send_then_recv(operation& wanted) noexcept {
  io_uring_sqe& send = next_entry();
  ::io_uring_prep_send(&send, wanted.fd, wanted.out.data(), wanted.out.size(),
                       MSG_NOSIGNAL | MSG_WAITALL);
  ::io_uring_sqe_set_flags(&send, IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS);
  ::io_uring_sqe_set_data64(&send, user_data(wanted, tag::first_part));
  io_uring_sqe& recv = next_entry();
  ::io_uring_prep_recv(&recv, wanted.fd, wanted.into.data(), wanted.into.size(), 0);
  ::io_uring_sqe_set_data64(&recv, user_data(wanted, tag::operation));
}

// The first one was lost when it was under way, and while it still is a second one is an error.
// Once it is over, the second one says what came of it.
void uring_reactor::prepare_connect_again(operation& wanted) noexcept {
  io_uring_sqe& over = next_entry();
  ::io_uring_prep_poll_add(&over, wanted.fd, POLLOUT);
  ::io_uring_sqe_set_flags(&over, IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS);
  ::io_uring_sqe_set_data64(&over, user_data(wanted, tag::first_part));
  io_uring_sqe& connect = next_entry();
  ::io_uring_prep_connect(&connect, wanted.fd, wanted.address, wanted.connect_size);
  ::io_uring_sqe_set_data64(&connect, user_data(wanted, tag::operation));
}

void uring_reactor::prepare(operation& wanted) noexcept {
  if (wanted.what == action::send_then_recv && !wanted.begun) {
    make_room(2);  // a submission in between would cut the link
    return prepare_send_then_recv(wanted);
  }
  if (wanted.what == action::connect && wanted.begun) {
    make_room(2);
    return prepare_connect_again(wanted);
  }
  io_uring_sqe& entry = next_entry();
  const auto offset = static_cast<std::uint64_t>(wanted.offset);
  const auto in_size = static_cast<unsigned>(std::min<std::size_t>(wanted.into.size(), INT32_MAX));
  const auto out_size = static_cast<unsigned>(std::min<std::size_t>(wanted.out.size(), INT32_MAX));
  switch (wanted.what) {
    case action::accept:
      ::io_uring_prep_accept(&entry, wanted.fd, wanted.address, wanted.address_size, SOCK_CLOEXEC);
      break;
    case action::connect:
      ::io_uring_prep_connect(&entry, wanted.fd, wanted.address, wanted.connect_size);
      break;
    case action::recv:
    case action::send_then_recv:  // whose send is done
      ::io_uring_prep_recv(&entry, wanted.fd, wanted.into.data(), in_size, 0);
      break;
    case action::send:
      ::io_uring_prep_send(&entry, wanted.fd, wanted.out.data(), out_size,
                           MSG_NOSIGNAL | MSG_WAITALL);
      break;
    case action::recv_message:
      ::io_uring_prep_recvmsg(&entry, wanted.fd, wanted.message,
                              static_cast<unsigned>(wanted.message_flags));
      break;
    case action::send_message:
      ::io_uring_prep_sendmsg(&entry, wanted.fd, wanted.message, MSG_NOSIGNAL);
      break;
    case action::read:
      ::io_uring_prep_read(&entry, wanted.fd, wanted.into.data(), in_size, offset);
      break;
    case action::write:
      ::io_uring_prep_write(&entry, wanted.fd, wanted.out.data(), out_size, offset);
      break;
    case action::read_vector:
    case action::write_vector:
      prepare_vector(entry, wanted);
      break;
    case action::poll:
      ::io_uring_prep_poll_add(&entry, wanted.fd, static_cast<unsigned short>(wanted.events));
      break;
    default:
      prepare_file_call(entry, wanted);
  }
  ::io_uring_sqe_set_data64(&entry, user_data(wanted, tag::operation));
}

void uring_reactor::perform(operation& wanted, deadline until) noexcept {
  libumcg::task& self = *libumcg::current_task;
  wanted.worker = &self;
  ++under_way_;
  wanted.begun = false;
  if (wanted.what != action::sleep) prepare(wanted);
  if (!until.is_never()) {
    wanted.deadline_timer.owner = &wanted;
    timers_.insert(wanted.deadline_timer, until.when());
  }
  libumcg::block(self);
}

// The operation's own completion still comes, and only with it is the operation over.
void uring_reactor::submit_cancel(operation& unwanted) noexcept {
  const bool has_parts =
      unwanted.what == action::send_then_recv || unwanted.what == action::connect;
  for (const tag part : {tag::first_part, tag::operation}) {
    if (part == tag::first_part && !has_parts) continue;
    io_uring_sqe& entry = next_entry();
    ::io_uring_prep_cancel64(&entry, user_data(unwanted, part), 0);
    ::io_uring_sqe_set_data64(&entry, static_cast<std::uint64_t>(tag::ignored));
    ::io_uring_sqe_set_flags(&entry, IOSQE_CQE_SKIP_SUCCESS);
  }
}

void uring_reactor::cancel(operation& unwanted) noexcept {
  unwanted.cancelled = true;
  if (unwanted.what == action::sleep) return complete(unwanted, -ECANCELED);
  submit_cancel(unwanted);
}

void uring_reactor::complete(operation& finished, int result) noexcept {
  // The kernel's own word for "a signal came: begin again", which an interrupted open lets out.
  constexpr int restart_system_call = 512;
  if (result == -restart_system_call) result = -EINTR;
  const bool cut_short = result == -ECANCELED || result == -EINTR;
  if (cut_short && finished.timed_out) {
    result = -ETIMEDOUT;
  } else if (cut_short && finished.cancelled) {
    result = -ECANCELED;
  }
  finished.result = result;
  finished.under_way = false;
  timers_.remove(finished.deadline_timer);
  --under_way_;
  finished.worker->state.unblock();
  idle_.push(*finished.worker);
}

// The completion of an operation, or of its first part, which failed. The kernel cancels what a
// thread has submitted when that thread ends, and does not say so: a cancellation that nobody has
// asked for is none, and the operation is submitted again.
void uring_reactor::end_part(operation& of, bool is_first, int result) noexcept {
  if (!is_first) of.begun = true;  // a first part, if it has one, has succeeded
  if (result == -ECANCELED && !of.timed_out && !of.cancelled) {
    of.next = std::exchange(lost_, &of);
    return;
  }
  if (is_first && of.what == action::send_then_recv) {
    of.send_result = std::exchange(result, -ECANCELED);
  }
  complete(of, result);
}

void uring_reactor::submit_lost() noexcept {
  for (operation* each = std::exchange(lost_, nullptr); each != nullptr;) {
    operation& again = *std::exchange(each, each->next);
    if (again.cancelled) {
      complete(again, -ECANCELED);  // when it was lost already
    } else {
      prepare(again);
    }
  }
}

void uring_reactor::pass_deadlines() noexcept {
  timers_.advance(kernel_.now(), [this](base::timer& timer) noexcept {
    operation& late = *static_cast<operation::expiry&>(timer).owner;
    if (late.what == action::sleep) {
      complete(late, 0);
    } else {
      late.timed_out = true;
      submit_cancel(late);
    }
  });
}

void uring_reactor::reap() noexcept {
  unsigned head;
  unsigned count = 0;
  io_uring_cqe* completion;
  io_uring_for_each_cqe(&ring_, head, completion) {
    ++count;
    const std::uint64_t data = completion->user_data;
    auto* const of = reinterpret_cast<operation*>(data & ~tag_mask);
    switch (static_cast<tag>(data & tag_mask)) {
      case tag::operation:
        end_part(*of, false, completion->res);
        break;
      case tag::first_part:
        end_part(*of, true, completion->res);
        break;
      case tag::unpark:
        unpark_sent_.store(false);
        listens_ = false;
        break;
      case tag::alarm:
        alarm_ = deadline::never();
        break;
      case tag::ignored:
        break;
    }
  }
  ::io_uring_cq_advance(&ring_, count);
}

void uring_reactor::collect() noexcept {
  reap();
  submit_lost();
  pass_deadlines();
  cancel_posted();
  libumcg::publish_here(*server_, idle_);
}

void uring_reactor::poll() noexcept {
  listen_for_unpark();
  if (::io_uring_sq_ready(&ring_) != 0) {
    kernel_.submit_and_get_events(ring_);
  } else {
    kernel_.get_events(ring_);
  }
  collect();
}

void uring_reactor::park(deadline until) noexcept {
  listen_for_unpark();
  const auto next = timers_.next_expiry();
  deadline end = until;
  if (next) end = std::min(end, deadline(*next));
  if (!idle_.empty() || anything_posted()) {
    // Reaped where a worker needed room, or posted with an unpark() that was noted there: they wait
    // for collect().
    kernel_.submit(ring_);
  } else if (alarm_comes_by(end)) {
    kernel_.submit_and_wait(ring_, deadline::never());
  } else {
    kernel_.submit_and_wait(ring_, end);
  }
}

// Whether the ring wakes us at `end` or before: it does already, or `end` is worth a new timeout.
bool uring_reactor::alarm_comes_by(deadline end) noexcept {
  if (alarm_ <= end) return true;
  if (end.when() - kernel_.now() < alarm_least) return false;
  alarm_ = end;
  // One that a failed submission has left in the queue comes at this earlier time too.
  alarm_time_ = to_kernel_time(end.when().time_since_epoch());
  io_uring_sqe& entry = next_entry();
  ::io_uring_prep_timeout(&entry, &alarm_time_, 0, IORING_TIMEOUT_ABS);
  ::io_uring_sqe_set_data64(&entry, static_cast<std::uint64_t>(tag::alarm));
  return true;
}

void uring_reactor::unpark() noexcept {
  if (unpark_sent_.exchange(true)) return;
  kernel_.ring_bell(bell_);
}

}  // namespace umcg::io
