// SPDX-License-Identifier: MIT
#include "io/epoll_reactor.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/assert.hpp"
#include "io/file_calls.hpp"
#include "io/thread_calls.hpp"
#include "libumcg/scheduling.hpp"

namespace umcg::io {

namespace {

constexpr std::uint64_t bell_data = UINT64_MAX;

constexpr std::uint32_t input = EPOLLIN | EPOLLRDHUP | EPOLLPRI;
constexpr std::uint32_t output = EPOLLOUT;
constexpr std::uint32_t readable = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t writable = EPOLLOUT | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t doubts = EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;

// How many calls in a row may find what they want before the server gets its turn.
constexpr int turns_max = 64;

std::uint64_t data_of(std::uint32_t number, int fd) noexcept {
  return std::uint64_t{number} << 32 | static_cast<std::uint32_t>(fd);
}

bool waits_to_write(const operation& wanted) noexcept {
  switch (wanted.what) {
    case action::connect:
    case action::send:
    case action::send_message:
    case action::write:
    case action::write_vector:
      return true;
    case action::send_then_recv:
      return !wanted.begun;
    case action::poll:
      return (wanted.events & POLLOUT) != 0;
    default:
      return false;
  }
}

bool is_vector(const operation& wanted) noexcept {
  return wanted.what == action::read_vector || wanted.what == action::write_vector;
}

bool is_file_transfer(const operation& wanted) noexcept {
  return wanted.what == action::read || wanted.what == action::write || is_vector(wanted);
}

// Where in the file it goes on; -1: at the position.
std::int64_t next_offset(const operation& wanted) noexcept {
  return wanted.offset < 0 ? -1 : wanted.offset + static_cast<std::int64_t>(wanted.done);
}

// How much is asked for. As a result it has to fit into an int.
std::size_t size_of(const operation& wanted) noexcept {
  const std::size_t size = wanted.what == action::read ? wanted.into.size() : wanted.out.size();
  return std::min<std::size_t>(size, INT32_MAX);
}

// Of the one buffer of a read or write.
iovec rest_of(const operation& wanted) noexcept {
  auto* const begin =
      wanted.what == action::read ? wanted.into.data() : const_cast<std::byte*>(wanted.out.data());
  return {begin + wanted.done, size_of(wanted) - wanted.done};
}

std::span<const std::byte> rest_of_out(const operation& wanted) noexcept {
  return wanted.out.subspan(wanted.done, size_of(wanted) - wanted.done);
}

// Of a call that ends with `error`: what a send has sent by then counts, and the error comes with
// the next one.
int result_of(const operation& wanted, int error) noexcept {
  const bool partly = wanted.what == action::send && wanted.done != 0;
  return partly ? static_cast<int>(wanted.done) : error;
}

// Whether the kernel's EAGAIN means that it becomes possible. A connect that did not begin has met
// a Unix listener with a full queue, and nothing tells when it has room.
bool has_to_wait(const operation& wanted, int result) noexcept {
  return result == -EAGAIN && (wanted.what != action::connect || wanted.begun);
}

// On a carrier that the server does not need meanwhile. The deadline bounds it where it can.
int transfer_outside(operation& wanted, deadline until) noexcept {
  libumcg::task& self = *libumcg::current_task;
  const std::int64_t offset = next_offset(wanted);
  const iovec buffer = rest_of(wanted);
  const auto buffers = is_vector(wanted) ? wanted.buffers : std::span(&buffer, 1);
  std::error_code error;
  libumcg::leave_server(self);
  const std::size_t count = waits_to_write(wanted)
                                ? thread_calls::write_some(wanted.fd, buffers, offset, until, error)
                                : thread_calls::read_some(wanted.fd, buffers, offset, until, error);
  libumcg::return_to_servers(self);
  if (error && wanted.done == 0) return -error.value();
  return static_cast<int>(wanted.done + count);
}

int file_call_outside(const operation& wanted) noexcept {
  libumcg::task& self = *libumcg::current_task;
  libumcg::leave_server(self);
  const int result = call_directly(wanted);
  libumcg::return_to_servers(self);
  return result;
}

}  // namespace

made_reactor epoll_reactor::make(epoll_kernel& kernel) {
  std::unique_ptr<epoll_reactor> made(new epoll_reactor(kernel));
  made->set_ = kernel.create_set();
  if (made->set_ < 0) return {nullptr, std::string("epoll: ") + std::strerror(-made->set_)};
  made->bell_ = kernel.create_bell();
  if (made->bell_ < 0) return {nullptr, std::string("eventfd: ") + std::strerror(-made->bell_)};
  const int failed =
      kernel.control(made->set_, EPOLL_CTL_ADD, made->bell_, EPOLLIN | EPOLLET, bell_data);
  if (failed != 0) return {nullptr, std::string("epoll: ") + std::strerror(-failed)};
  return {std::move(made), "reactor epoll"};
}

epoll_reactor::~epoll_reactor() {
  if (bell_ >= 0) kernel_.close(bell_);
  if (set_ >= 0) kernel_.close(set_);
}

// --- the worker's part ---

void epoll_reactor::perform(operation& wanted, deadline until) noexcept {
  wanted.worker = libumcg::current_task;
  wanted.timed_out = wanted.begun = false;
  wanted.done = 0;
  if (wanted.what == action::sleep) return block(wanted, until);
  if (is_file_call(wanted.what)) {
    wanted.under_way = false;
    wanted.result = file_call_outside(wanted);
    return;
  }
  const bool last_try = passed(until);
  wanted.result = attempt(wanted, last_try);
  if (has_to_wait(wanted, wanted.result)) {
    const int failed = last_try && !is_file_transfer(wanted) ? -ETIMEDOUT : start_watching(wanted);
    if (failed == 0) return block(wanted, until);
    wanted.result = result_of(wanted, failed);
  }
  wanted.under_way = false;
  const bool unwatchable = wanted.result == -EPERM || wanted.result == -EOPNOTSUPP;
  if (unwatchable && is_file_transfer(wanted)) {
    wanted.result = transfer_outside(wanted, until);
    return;
  }
  end_turn();
}

bool epoll_reactor::passed(deadline until) noexcept {
  return !until.is_never() && kernel_.now() >= until.when();
}

// Until complete(); the worker may then be another server's.
void epoll_reactor::block(operation& wanted, deadline until) noexcept {
  if (!until.is_never()) {
    wanted.deadline_timer.owner = &wanted;
    timers_.insert(wanted.deadline_timer, until.when());
  }
  ++under_way_;
  libumcg::block(*wanted.worker);
}

// A worker that always finds what it wants would keep its server for itself, and the others' events
// would wait. When its turns are over the server looks at them, and the worker gets in line.
void epoll_reactor::end_turn() noexcept {
  if (--turns_left_ > 0) return;
  server_->serving->direct_runs = 0;
  libumcg::depart(*libumcg::current_task, libumcg::stop::yielded);
}

// --- the calls: what came of it, or EAGAIN: it has to wait ---

// `last_try`: what is there has to be found, even where it is hardly worth a call.
int epoll_reactor::attempt(operation& wanted, bool last_try) noexcept {
  switch (wanted.what) {
    case action::accept:
      return accept(wanted);
    case action::connect:
      return connect(wanted);
    case action::recv: {
      const watch* const of = known(wanted);
      if (!last_try && of != nullptr && of->drained) return -EAGAIN;
      return receive(wanted);
    }
    case action::send:
      return send(wanted);
    case action::recv_message:
      return kernel_.recv_message(wanted.fd, *wanted.message, wanted.message_flags);
    case action::send_message:
      return kernel_.send_message(wanted.fd, *wanted.message);
    case action::send_then_recv:
      return send_then_receive(wanted, last_try);
    case action::read:
    case action::write:
      return transfer(wanted);
    case action::read_vector:
    case action::write_vector:
      return transfer_once(wanted);
    case action::poll: {
      const int seen = kernel_.poll(wanted.fd, wanted.events);
      return seen == 0 ? -EAGAIN : seen;
    }
    default:
      break;
  }
  UMCG_ASSERT(false && "nothing to attempt");
  return -EINVAL;
}

int epoll_reactor::accept(operation& wanted) noexcept {
  const watch* const of = known(wanted);
  if (of == nullptr) {
    const int failed = kernel_.make_non_blocking(wanted.fd);
    if (failed != 0) return failed;
  }
  const int result = kernel_.accept(wanted.fd, wanted.address, wanted.address_size);
  // Of a Unix-domain listener that was shut down, accept(2) says that only when it may block.
  if (result != -EAGAIN || of == nullptr || !of->doubtful) return result;
  const int seen = kernel_.poll(wanted.fd, POLLIN);
  return seen > 0 && (seen & POLLHUP) != 0 ? -EINVAL : result;
}

int epoll_reactor::connect(operation& wanted) noexcept {
  if (wanted.begun) return kernel_.outcome_of_connect(wanted.fd);
  const int result = kernel_.connect(wanted.fd, wanted.address, wanted.connect_size);
  if (result != -EINPROGRESS) return result;
  wanted.begun = true;
  return -EAGAIN;
}

// All of it, over however many events.
int epoll_reactor::send(operation& wanted) noexcept {
  const std::size_t size = size_of(wanted);
  while (wanted.done < size) {
    const int sent = kernel_.send(wanted.fd, rest_of_out(wanted));
    if (sent == -EAGAIN) return sent;
    if (sent < 0) return result_of(wanted, sent);
    wanted.done += static_cast<std::size_t>(sent);
  }
  return static_cast<int>(size);
}

int epoll_reactor::receive(operation& wanted) noexcept {
  const int received = kernel_.recv(wanted.fd, wanted.into);
  watch* const of = known(wanted);
  if (of == nullptr || of->doubtful) return received;
  const bool fell_short =
      of->tcp && received > 0 && static_cast<std::size_t>(received) < wanted.into.size();
  of->drained = fell_short || received == -EAGAIN;
  return received;
}

int epoll_reactor::send_then_receive(operation& wanted, bool last_try) noexcept {
  if (!wanted.begun) {
    const int sent = send(wanted);
    if (sent == -EAGAIN) return sent;
    if (sent < 0 || static_cast<std::size_t>(sent) < wanted.out.size()) {
      wanted.send_result = sent;
      return -ECANCELED;
    }
    wanted.begun = true;
    // The peer has hardly answered yet, and where nobody watched it until now that comes next, and
    // tells.
    const watch* const of = known(wanted);
    if (!last_try && (of == nullptr || of->drained)) return -EAGAIN;
  }
  return receive(wanted);
}

int epoll_reactor::transfer_once(operation& wanted) noexcept {
  const std::int64_t offset = next_offset(wanted);
  const iovec buffer = rest_of(wanted);
  const auto buffers = is_vector(wanted) ? wanted.buffers : std::span(&buffer, 1);
  return waits_to_write(wanted) ? kernel_.write(wanted.fd, buffers, offset)
                                : kernel_.read(wanted.fd, buffers, offset);
}

// Of a file that lies in memory in parts the kernel gives the first part without blocking; that is
// not the end of the file.
int epoll_reactor::transfer(operation& wanted) noexcept {
  for (;;) {
    const int count = transfer_once(wanted);
    if (count < 0 && wanted.done == 0) return count;
    if (count < 0) return count == -EAGAIN ? -EOPNOTSUPP : static_cast<int>(wanted.done);
    wanted.done += static_cast<std::size_t>(count);
    if (count == 0 || wanted.done >= size_of(wanted) || !kernel_.is_regular_file(wanted.fd)) {
      return static_cast<int>(wanted.done);
    }
  }
}

// --- what is watched ---

// What is known of the socket that `wanted` names; null where the kernel would have to be asked
// which that is.
watch* epoll_reactor::known(const operation& wanted) noexcept {
  if (wanted.serial == 0) return nullptr;
  watch* const of = watches_.find(wanted.fd);
  return of != nullptr && of->registered && of->serial == wanted.serial ? of : nullptr;
}

// What an operation needs to be told of. A socket that is registered once needs everything; of
// others, which are registered for each wait, the kernel would report at once that they can be
// written to.
std::uint32_t epoll_reactor::interest(const watch& of, const operation& wanted) noexcept {
  if (wanted.serial != 0 || (of.registered && of.serial != 0)) return input | output | EPOLLET;
  const bool reads =
      !of.readers.empty() || !waits_to_write(wanted) || wanted.what == action::send_then_recv;
  const bool writes = !of.writers.empty() || waits_to_write(wanted);
  return (reads ? input : 0) | (writes ? output : 0) | EPOLLET;
}

// Puts the operation among those that wait. 0, or the error that kept it from that.
int epoll_reactor::start_watching(operation& wanted) noexcept {
  watch* of = known(wanted);
  if (of == nullptr) {
    of = watches_.make(wanted.fd);
    if (of == nullptr) return -ENOMEM;
    const int failed = of->registered ? register_again(*of, wanted) : register_new(*of, wanted);
    if (failed != 0) return failed;
  }
  of->unclaimed = false;
  (waits_to_write(wanted) ? of->writers : of->readers).push(wanted);
  return 0;
}

// Tells whether it is the same file still, and has what is there by now reported as an event.
int epoll_reactor::register_again(watch& of, const operation& wanted) noexcept {
  const int failed = kernel_.control(set_, EPOLL_CTL_MOD, wanted.fd, interest(of, wanted),
                                     data_of(of.number, wanted.fd));
  if (failed == 0) {
    if (wanted.serial != 0) of.serial = wanted.serial;
    return 0;
  }
  if (failed != -ENOENT) return failed;
  // Closed, under the hands of those who wait for it if there are any.
  of.registered = false;
  end_all(of.readers, -EBADF);
  end_all(of.writers, -EBADF);
  return register_new(of, wanted);
}

int epoll_reactor::register_new(watch& of, const operation& wanted) noexcept {
  ++of.number;
  const int failed = kernel_.control(set_, EPOLL_CTL_ADD, wanted.fd, interest(of, wanted),
                                     data_of(of.number, wanted.fd));
  if (failed != 0) return failed;
  of.registered = true;
  of.serial = wanted.serial;
  of.tcp = wanted.serial != 0 && kernel_.is_tcp(wanted.fd);
  of.drained = of.doubtful = false;
  return 0;
}

// Its worker has gone to another server, or reads by other means.
void epoll_reactor::forget(watch& of, int fd) noexcept {
  kernel_.control(set_, EPOLL_CTL_DEL, fd, 0, 0);
  of.registered = false;
}

// --- the server's part ---

void epoll_reactor::harvest(deadline until) noexcept {
  const int count = kernel_.wait(set_, events_, until);
  events_seen_ = static_cast<std::size_t>(std::max(count, 0));
}

void epoll_reactor::park(deadline until) noexcept {
  deadline end = until;
  if (const auto next = timers_.next_expiry()) end = std::min(end, deadline(*next));
  // Completed where a worker registered another file: they wait for collect().
  // Or posted with an unpark() that was noted there.
  if (!idle_.empty() || anything_posted()) end = deadline(deadline::clock::time_point::min());
  harvest(end);
}

void epoll_reactor::poll() noexcept {
  harvest(deadline(deadline::clock::time_point::min()));
  collect();
}

void epoll_reactor::collect() noexcept {
  turns_left_ = turns_max;
  const std::size_t count = std::exchange(events_seen_, 0);
  for (std::size_t at = 0; at < count; ++at) see(events_[at]);
  pass_deadlines();
  cancel_posted();
  libumcg::publish_here(*server_, idle_);
}

void epoll_reactor::see(const epoll_event& event) noexcept {
  if (event.data.u64 == bell_data) {
    unpark_sent_.store(false);
    return;
  }
  const auto fd = static_cast<int>(event.data.u64 & UINT32_MAX);
  watch* const of = watches_.find(fd);
  // Of an earlier file of this number that lives on under another one.
  if (of == nullptr || !of->registered || of->number != event.data.u64 >> 32) return;
  if ((event.events & doubts) != 0) of->doubtful = true;
  if ((event.events & readable) != 0) of->drained = false;
  const bool awaited = !of->readers.empty() || !of->writers.empty();
  if (!awaited && std::exchange(of->unclaimed, true)) return forget(*of, fd);
  if ((event.events & writable) != 0) serve(*of, of->writers);
  if ((event.events & readable) != 0) serve(*of, of->readers);
}

// Makes the calls of those that wait, as far as that gets.
void epoll_reactor::serve(watch& of, waiting_operations& waiting) noexcept {
  const bool reading = &waiting == &of.readers;
  while (operation* const first = waiting.first()) {
    if (reading && of.drained) return;
    const int result = attempt(*first, true);
    if (!has_to_wait(*first, result)) {
      waiting.remove(*first);
      complete(*first, result);
    } else if (!reading && !waits_to_write(*first)) {
      waiting.remove(*first);
      of.readers.push(*first);
    } else {
      return;
    }
  }
}

void epoll_reactor::end_all(waiting_operations& waiting, int result) noexcept {
  while (operation* const first = waiting.first()) {
    waiting.remove(*first);
    complete(*first, result);
  }
}

void epoll_reactor::end_early(operation& wanted, int result) noexcept {
  if (wanted.what != action::sleep) {
    watch& of = *watches_.find(wanted.fd);
    (waits_to_write(wanted) ? of.writers : of.readers).remove(wanted);
  }
  complete(wanted, result_of(wanted, result));
}

void epoll_reactor::cancel(operation& unwanted) noexcept { end_early(unwanted, -ECANCELED); }

void epoll_reactor::complete(operation& finished, int result) noexcept {
  finished.result = result;
  finished.under_way = false;
  --under_way_;
  timers_.remove(finished.deadline_timer);
  finished.worker->state.unblock();
  idle_.push(*finished.worker);
}

void epoll_reactor::pass_deadlines() noexcept {
  timers_.advance(kernel_.now(), [this](base::timer& timer) noexcept {
    operation& late = *static_cast<operation::expiry&>(timer).owner;
    end_early(late, late.what == action::sleep ? 0 : -ETIMEDOUT);
  });
}

void epoll_reactor::unpark() noexcept {
  if (unpark_sent_.exchange(true)) return;
  kernel_.ring_bell(bell_);
}

}  // namespace umcg::io
