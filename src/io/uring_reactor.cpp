// SPDX-License-Identifier: MIT
#include "io/uring_reactor.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/assert.hpp"
#include "libumcg/scheduling.hpp"

namespace umcg::io {

namespace {

constexpr unsigned entries = 4096;
constexpr unsigned completions = 4 * entries;

// What a completion belongs to, in the low bits of its user data; the rest is the operation's
// address.
enum class tag : std::uint64_t { operation, send_part, unpark, alarm, ignored };
constexpr std::uint64_t tag_mask = 7;
static_assert(alignof(operation) > tag_mask);

// A deadline at least so far away is left to a timeout in the ring. A new one is needed only when
// an earlier deadline comes up, so a service whose deadlines move on with each request seldom needs
// one, while a wait with a timeout sets a timer and takes it back each time. What nobody needs any
// more stays in the ring until it passes.
constexpr deadline::clock::duration alarm_least = std::chrono::seconds(1);

__kernel_timespec kernel_time(std::chrono::nanoseconds time) noexcept {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  __kernel_timespec result{};
  result.tv_sec = seconds.count();
  result.tv_nsec = std::chrono::nanoseconds(time - seconds).count();
  return result;
}

std::uint64_t user_data(const operation& of, tag part) noexcept {
  return reinterpret_cast<std::uint64_t>(&of) | static_cast<std::uint64_t>(part);
}

// The kernel says what it is asked for in an error number; this says what to do about it.
std::string explain(int error) {
  std::string what = std::string("io_uring: ") + std::strerror(error);
  switch (error) {
    case EPERM:
      return what + " (disabled by sysctl kernel.io_uring_disabled, or by a seccomp profile)";
    case ENOSYS:
      return what + " (needs Linux 5.19 or later)";
    case EINVAL:
      return what + " (needs Linux 5.19 or later: IORING_SETUP_COOP_TASKRUN)";
    case ENOMEM:
      return what + " (raise the limit on locked memory, ulimit -l)";
    default:
      return what;
  }
}

}  // namespace

made_reactor uring_reactor::make() {
  std::unique_ptr<uring_reactor> made(new uring_reactor);
  made->unparked_.reset(::eventfd(0, EFD_CLOEXEC));
  if (!made->unparked_) return {nullptr, std::string("eventfd: ") + std::strerror(errno)};
  io_uring_params parameters{};
  parameters.flags = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
                     IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
  parameters.cq_entries = completions;
  const int failed = ::io_uring_queue_init_params(entries, &made->ring_, &parameters);
  if (failed != 0) return {nullptr, explain(-failed)};
  made->ring_exists_ = true;
  constexpr unsigned needed = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP;
  if ((parameters.features & needed) != needed) return {nullptr, explain(EINVAL)};
  return {std::move(made), "reactor io_uring"};
}

uring_reactor::~uring_reactor() {
  if (ring_exists_) ::io_uring_queue_exit(&ring_);
}

// The kernel takes no more submissions while completions that found no room wait for it: reaping
// makes room for both.
void uring_reactor::make_room(unsigned entries_needed) noexcept {
  while (::io_uring_sq_space_left(&ring_) < entries_needed) {
    if (::io_uring_submit(&ring_) >= 0) continue;
    ::io_uring_get_events(&ring_);  // brings in the completions that found no room
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
  ::io_uring_prep_read(&entry, unparked_.get(), &unpark_count_, sizeof unpark_count_, 0);
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
  ::io_uring_sqe_set_data64(&send, user_data(wanted, tag::send_part));
  io_uring_sqe& recv = next_entry();
  ::io_uring_prep_recv(&recv, wanted.fd, wanted.into.data(), wanted.into.size(), 0);
  ::io_uring_sqe_set_data64(&recv, user_data(wanted, tag::operation));
}

void uring_reactor::prepare(operation& wanted) noexcept {
  if (wanted.what == action::send_then_recv) {
    make_room(2);  // a submission in between would cut the link
    prepare_send_then_recv(wanted);
    return;
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
      ::io_uring_prep_recv(&entry, wanted.fd, wanted.into.data(), in_size, 0);
      break;
    case action::send:
      ::io_uring_prep_send(&entry, wanted.fd, wanted.out.data(), out_size,
                           MSG_NOSIGNAL | MSG_WAITALL);
      break;
    case action::recv_message:
      ::io_uring_prep_recvmsg(&entry, wanted.fd, wanted.message, 0);
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
    case action::sleep:
    case action::send_then_recv:
      UMCG_ASSERT(false && "not prepared here");
  }
  ::io_uring_sqe_set_data64(&entry, user_data(wanted, tag::operation));
}

void uring_reactor::perform(operation& wanted, deadline until) noexcept {
  libumcg::task& self = *libumcg::current_task;
  wanted.worker = &self;
  if (wanted.what != action::sleep) prepare(wanted);
  if (!until.is_never()) {
    wanted.deadline_timer.owner = &wanted;
    timers_.insert(wanted.deadline_timer, until.when());
  }
  libumcg::block(self);
}

// The operation's own completion still comes, and only with it is the operation over.
void uring_reactor::cancel(operation& late) noexcept {
  late.timed_out = true;
  const bool has_send = late.what == action::send_then_recv;
  for (const tag part : {tag::send_part, tag::operation}) {
    if (part == tag::send_part && !has_send) continue;
    io_uring_sqe& entry = next_entry();
    ::io_uring_prep_cancel64(&entry, user_data(late, part), 0);
    ::io_uring_sqe_set_data64(&entry, static_cast<std::uint64_t>(tag::ignored));
    ::io_uring_sqe_set_flags(&entry, IOSQE_CQE_SKIP_SUCCESS);
  }
}

void uring_reactor::complete(operation& finished, int result) noexcept {
  const bool cancelled = result == -ECANCELED || result == -EINTR;
  finished.result = finished.timed_out && cancelled ? -ETIMEDOUT : result;
  timers_.remove(finished.deadline_timer);
  finished.worker->state.unblock();
  idle_.push(*finished.worker);
}

void uring_reactor::pass_deadlines() noexcept {
  timers_.advance(deadline::clock::now(), [this](base::timer& timer) noexcept {
    operation& late = *static_cast<operation::expiry&>(timer).owner;
    if (late.what == action::sleep) {
      complete(late, 0);
    } else {
      cancel(late);
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
        complete(*of, completion->res);
        break;
      case tag::send_part:
        of->send_result = completion->res;
        complete(*of, -ECANCELED);
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
  pass_deadlines();
  libumcg::publish_here(*server_, idle_);
}

void uring_reactor::poll() noexcept {
  listen_for_unpark();
  if (::io_uring_sq_ready(&ring_) != 0) {
    ::io_uring_submit_and_get_events(&ring_);
  } else {
    ::io_uring_get_events(&ring_);
  }
  collect();
}

void uring_reactor::park(deadline until) noexcept {
  listen_for_unpark();
  const auto next = timers_.next_expiry();
  deadline end = until;
  if (next) end = std::min(end, deadline(*next));
  io_uring_cqe* first;
  if (!idle_.empty()) {
    // Reaped where a worker needed room: they wait for collect().
    ::io_uring_submit(&ring_);
  } else if (alarm_comes_by(end)) {
    ::io_uring_submit_and_wait(&ring_, 1);
  } else {
    const auto left = std::max(end.when() - deadline::clock::now(), deadline::clock::duration(0));
    __kernel_timespec wait = kernel_time(left);
    ::io_uring_submit_and_wait_timeout(&ring_, &first, 1, &wait, nullptr);
  }
}

// Whether the ring wakes us at `end` or before: it does already, or `end` is worth a new timeout.
bool uring_reactor::alarm_comes_by(deadline end) noexcept {
  if (alarm_ <= end) return true;
  if (end.when() - deadline::clock::now() < alarm_least) return false;
  alarm_ = end;
  // One that a failed submission has left in the queue comes at this earlier time too.
  alarm_time_ = kernel_time(end.when().time_since_epoch());
  io_uring_sqe& entry = next_entry();
  ::io_uring_prep_timeout(&entry, &alarm_time_, 0, IORING_TIMEOUT_ABS);
  ::io_uring_sqe_set_data64(&entry, static_cast<std::uint64_t>(tag::alarm));
  return true;
}

void uring_reactor::unpark() noexcept {
  if (unpark_sent_.exchange(true)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(unparked_.get(), &one, sizeof one);
}

}  // namespace umcg::io
