// SPDX-License-Identifier: MIT
#include "simulation/uring.hpp"

#include <netinet/in.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace umcg::simulation {

namespace {

constexpr int wait_for_more = -EAGAIN;

}  // namespace

std::span<std::byte> uring::buffer_of(const submission& entry) {
  return {reinterpret_cast<std::byte*>(entry.addr), entry.len};
}

int uring::create(io_uring& ring, unsigned, io_uring_params& parameters) noexcept {
  parameters.features = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP;
  ring = {};
  ring.sq.khead = &sq_head_;
  ring.sq.ktail = &sq_tail_;
  ring.sq.kflags = &sq_flags_;
  ring.sq.sqes = entries_.data();
  ring.sq.ring_mask = submissions_max - 1;
  ring.sq.ring_entries = submissions_max;
  ring.cq.khead = &cq_head_;
  ring.cq.ktail = &cq_tail_;
  ring.cq.cqes = completions_.data();
  ring.cq.ring_mask = completions_max - 1;
  ring.cq.ring_entries = completions_max;
  return 0;
}

// --- completions ---

void uring::post(std::uint64_t data, int result) {
  io_uring_cqe made{};
  made.user_data = data;
  made.res = result;
  if (!beyond_.empty() || cq_tail_ - cq_head_ == completions_max) {
    ++overflows_;
    beyond_.push_back(made);
  } else {
    completions_[cq_tail_++ % completions_max] = made;
  }
}

void uring::make_room() {
  while (!beyond_.empty() && cq_tail_ - cq_head_ < completions_max) {
    completions_[cq_tail_++ % completions_max] = beyond_.front();
    beyond_.pop_front();
  }
}

std::size_t uring::pending() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(requests_, [](const request& each) { return each.of != nullptr; }));
}

// --- submissions ---

int uring::submit(io_uring& ring) noexcept {
  make_room();
  if (!beyond_.empty()) return -EBUSY;
  if (network_.chance(20)) return -EAGAIN;
  const unsigned count = ring.sq.sqe_tail - sq_head_;
  while (sq_head_ != ring.sq.sqe_tail) {
    const submission entry(entries_[sq_head_++ % submissions_max]);
    std::optional<submission> then;
    if ((entry.flags & IOSQE_IO_LINK) != 0 && sq_head_ != ring.sq.sqe_tail) {
      then.emplace(entries_[sq_head_++ % submissions_max]);
    }
    start(entry, then);
  }
  ring.sq.sqe_head = sq_tail_ = sq_head_;
  if (network_.chance(20)) cancel_unasked();
  return static_cast<int>(count);
}

int uring::get_events(io_uring&) noexcept {
  const time_point soon = now() + std::chrono::microseconds(10);
  while (network_.step(soon)) continue;
  hear_bell();
  make_room();
  return 0;
}

int uring::submit_and_get_events(io_uring& ring) noexcept {
  const int submitted = submit(ring);
  if (submitted >= 0) get_events(ring);
  return submitted;
}

int uring::submit_and_wait(io_uring& ring, deadline until) noexcept {
  const int submitted = submit(ring);
  if (submitted < 0) return submitted;
  for (;;) {
    hear_bell();
    make_room();
    if (!is_empty()) return submitted;
    if (network_.step(until.when())) continue;
    if (!until.is_never()) return end_of_wait();
    bell_.wait();
  }
}

// A thread may end at the very moment of a deadline.
int uring::end_of_wait() {
  if (network_.chance(50)) cancel_unasked();
  return -ETIME;
}

void uring::hear_bell() {
  if (bell_.take()) rung_ = true;
  if (!rung_) return;
  const auto listening = std::ranges::find_if(
      requests_, [](const request& each) { return each.entry.fd == bell_number; });
  if (listening == requests_.end()) return;
  rung_ = false;
  end(listening->number, sizeof(std::uint64_t));
}

// --- requests ---

void uring::start(const submission& entry, std::optional<submission> then) {
  if (entry.opcode == IORING_OP_ASYNC_CANCEL) return cancel(entry);
  const std::uint64_t number = ++requests_made_;
  const bool of_a_socket = entry.opcode != IORING_OP_TIMEOUT && entry.fd != bell_number;
  requests_.push_back({number, entry, of_a_socket ? network_.find(entry.fd) : nullptr, then});
  if (entry.opcode == IORING_OP_TIMEOUT) {
    const auto& time = *reinterpret_cast<const __kernel_timespec*>(entry.addr);
    network_.at(
        time_point(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec)),
        [this, number] { end(number, -ETIME); });
    return;
  }
  if (!of_a_socket) return;
  const auto of = requests_.back().of;
  if (!of) return end(number, -EBADF);
  of->watchers[static_cast<int>(number)] = [this, number](std::uint32_t) {
    network_.after(network_.some_delay(), [this, number] { go_on(number); });
  };
  go_on(number);
}

void uring::go_on(std::uint64_t number) {
  const auto found = std::ranges::find(requests_, number, &request::number);
  if (found == requests_.end() || found->being_cancelled) return;
  const int result = attempt(*found);
  if (result != wait_for_more) end(number, result);
}

int uring::attempt(request& one) {
  const submission& entry = one.entry;
  switch (entry.opcode) {
    case IORING_OP_ACCEPT:
      return network_.accept(*one.of, reinterpret_cast<sockaddr*>(entry.addr),
                             reinterpret_cast<socklen_t*>(entry.addr2));
    case IORING_OP_CONNECT:
      return attempt_connect(one);
    case IORING_OP_POLL_ADD:
      return attempt_poll(one);
    case IORING_OP_RECV:
      return network_.recv(*one.of, buffer_of(entry));
    case IORING_OP_RECVMSG:
      return network_.recv_message(*one.of, *reinterpret_cast<const msghdr*>(entry.addr),
                                   static_cast<int>(entry.msg_flags));
    case IORING_OP_SEND:
      return attempt_send(one, buffer_of(entry));
    case IORING_OP_SENDMSG:
      return network_.send_message(*one.of, *reinterpret_cast<const msghdr*>(entry.addr));
    default:
      return -EINVAL;
  }
}

// Which bits are there is the result.
int uring::attempt_poll(const request& one) {
  const std::uint32_t there =
      network::readiness(*one.of) & (one.entry.poll_events | EPOLLHUP | EPOLLERR);
  return there != 0 ? static_cast<int>(there) : wait_for_more;
}

int uring::attempt_send(request& one, std::span<const std::byte> bytes) {
  const bool all = (one.entry.msg_flags & MSG_WAITALL) != 0;
  for (;;) {
    const int sent = network_.send(*one.of, bytes.subspan(one.done));
    if (sent == wait_for_more) return sent;
    if (sent < 0) return one.done != 0 ? static_cast<int>(one.done) : sent;
    one.done += static_cast<std::size_t>(sent);
    if (!all || one.done == bytes.size()) return static_cast<int>(one.done);
  }
}

int uring::attempt_connect(request& one) {
  if (one.begun) return one.of->connecting ? wait_for_more : network::outcome_of_connect(*one.of);
  const int result =
      network_.connect(one.of, reinterpret_cast<const sockaddr_in*>(one.entry.addr)->sin_port);
  one.begun = true;
  return result == -EINPROGRESS ? wait_for_more : result;
}

// What is linked behind a request that fails ends with it, and in silence where that one would have
// succeeded in silence.
void uring::end(std::uint64_t number, int result) {
  const auto found = std::ranges::find(requests_, number, &request::number);
  if (found == requests_.end()) return;
  const request ended = std::move(*found);
  requests_.erase(found);
  if (ended.of) ended.of->watchers.erase(static_cast<int>(number));
  const bool is_send = ended.entry.opcode == IORING_OP_SEND;
  const bool failed = result < 0 || (is_send && ended.done < ended.entry.len);
  const bool in_silence = (ended.entry.flags & IOSQE_CQE_SKIP_SUCCESS) != 0;
  if (failed || !in_silence) post(ended.entry.user_data, result);
  if (!ended.then) return;
  if (!failed) {
    start(*ended.then, std::nullopt);
  } else if (!in_silence) {
    post(ended.then->user_data, -ECANCELED);
  }
}

// A cancellation may meet an operation at work, which then ends a little later, or has ended.
void uring::cancel(const submission& entry) {
  const auto found = std::ranges::find_if(requests_, [&entry](const request& each) {
    return each.entry.user_data == entry.addr && !each.being_cancelled;
  });
  if (found == requests_.end()) return post(entry.user_data, -ENOENT);
  const std::uint64_t number = found->number;
  if (!network_.chance(300)) {
    end_early(number, -ECANCELED);
    if ((entry.flags & IOSQE_CQE_SKIP_SUCCESS) == 0) post(entry.user_data, 0);
    return;
  }
  post(entry.user_data, -EALREADY);
  found->being_cancelled = network_.chance(500);  // it stops; or it goes on for a while
  const int result = found->being_cancelled ? -EINTR : -ECANCELED;
  network_.after(network_.some_delay(), [this, number, result] { end_early(number, result); });
}

// What a send has sent by then is its result.
void uring::end_early(std::uint64_t number, int result) {
  const auto found = std::ranges::find(requests_, number, &request::number);
  if (found == requests_.end()) return;
  end(number, found->done != 0 ? static_cast<int>(found->done) : result);
}

// The thread that has submitted some of them ends.
void uring::cancel_unasked() {
  ++endings_;
  std::vector<std::uint64_t> numbers;
  for (const request& each : requests_) {
    if (network_.chance(300)) numbers.push_back(each.number);
  }
  for (const std::uint64_t number : numbers) end_early(number, -ECANCELED);
}

}  // namespace umcg::simulation
