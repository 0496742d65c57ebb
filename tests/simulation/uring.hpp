// SPDX-License-Identifier: MIT
#pragma once

// The kernel under an io_uring reactor, simulated: a ring over the network of network.hpp. Its
// queues are small, submissions are refused now and then, completions come late and more of them
// than there is room for, cancellations come too late, and threads that have submitted end.

#include <array>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <span>

#include "io/uring_kernel.hpp"
#include "simulation/bell.hpp"
#include "simulation/network.hpp"

namespace umcg::simulation {

class uring final : public io::uring_kernel {
 public:
  explicit uring(network& over) : network_(over) {}

  time_point now() noexcept override { return network_.now(); }

  int create(io_uring& ring, unsigned entries, io_uring_params& parameters) noexcept override;
  void destroy(io_uring&) noexcept override { requests_.clear(); }
  int try_out(io_uring&) noexcept override { return 0; }
  int submit(io_uring& ring) noexcept override;
  int submit_and_wait(io_uring& ring, deadline until) noexcept override;
  int submit_and_get_events(io_uring& ring) noexcept override;
  int get_events(io_uring& ring) noexcept override;

  int create_bell() noexcept override { return bell_number; }
  void ring_bell(int) noexcept override { bell_.ring(); }
  void close(int) noexcept override {}

  // Operations on sockets that are under way.
  std::size_t pending() const;
  // How often the ring was out of room for a completion, and a thread has ended.
  unsigned overflows() const { return overflows_; }
  unsigned endings() const { return endings_; }

 private:
  static constexpr int bell_number = 1'000'001;
  static constexpr unsigned submissions_max = 8;
  static constexpr unsigned completions_max = 8;

  // An entry of the submission queue, as far as it counts here.
  struct submission {
    explicit submission(const io_uring_sqe& entry)
        : opcode(entry.opcode),
          flags(entry.flags),
          fd(entry.fd),
          addr(entry.addr),
          addr2(entry.addr2),
          len(entry.len),
          msg_flags(entry.msg_flags),
          poll_events(entry.poll32_events),
          user_data(entry.user_data) {}

    unsigned opcode;
    unsigned flags;
    int fd;
    std::uint64_t addr;
    std::uint64_t addr2;
    std::size_t len;
    unsigned msg_flags;
    unsigned poll_events;
    std::uint64_t user_data;
  };

  struct request {
    std::uint64_t number;
    submission entry;
    std::shared_ptr<end_point> of;  // the operation keeps its file
    std::optional<submission> then;
    std::size_t done = 0;
    bool begun = false;
    bool being_cancelled = false;
  };

  void start(const submission& entry, std::optional<submission> then);
  void go_on(std::uint64_t number);
  static std::span<std::byte> buffer_of(const submission& entry);
  int attempt(request& one);
  static int attempt_poll(const request& one);
  int attempt_send(request& one, std::span<const std::byte> bytes);
  int attempt_connect(request& one);
  void end(std::uint64_t number, int result);
  void end_early(std::uint64_t number, int result);
  void cancel(const submission& entry);
  void cancel_unasked();
  int end_of_wait();
  void hear_bell();
  void post(std::uint64_t data, int result);
  void make_room();
  bool is_empty() const { return cq_head_ == cq_tail_; }

  network& network_;
  bell bell_;
  bool rung_ = false;
  std::list<request> requests_;
  std::uint64_t requests_made_ = 0;
  std::deque<io_uring_cqe> beyond_;  // completions that found no room
  unsigned overflows_ = 0;
  unsigned endings_ = 0;

  std::array<io_uring_sqe, submissions_max> entries_{};
  std::array<io_uring_cqe, completions_max> completions_{};
  unsigned sq_head_ = 0;
  unsigned sq_tail_ = 0;
  unsigned sq_flags_ = 0;
  unsigned cq_head_ = 0;
  unsigned cq_tail_ = 0;
};

}  // namespace umcg::simulation
