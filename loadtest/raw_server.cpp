// SPDX-License-Identifier: MIT

// The honest lower bound of the bench: a bare callback loop on one thread and one io_uring with the
// flags of umcg's reactor (a plain ring, so no DEFER_TASKRUN and no SINGLE_ISSUER), without
// workers, routing, parsing or deadlines. It finds where requests end, answers fixed bytes, and
// nothing else. umcg-httpd's distance to it is the price of the blocking style.
//
// A connection has at most one receive and one send in flight. After a receive that completes k
// requests, k answers leave in one send. How the next receive follows it is chosen on the command
// line, see enum turn_around.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <liburing.h>

namespace {

// The ring has the shape of umcg's (src/io/uring_reactor.cpp).
constexpr unsigned default_ring_entries = 4096;
constexpr unsigned completions_per_entry = 4;
constexpr unsigned input_bytes = 2048;
constexpr std::string_view request_end = "\r\n\r\n";
constexpr std::size_t batch_requests_max = input_bytes / request_end.size();

enum class turn_around {
  // Send and receive are a linked pair in one submission; the send is silent unless it fails.
  linked,
  // The same without the link. The send never waits, so it is over before the kernel looks at the
  // receive; what does not fit into the socket's buffer goes by a second, waiting send.
  unlinked,
  // The receive is submitted when the send has completed.
  separate,
};
enum class operation : std::uint64_t { accept, stop, receive, send };

struct settings {
  sockaddr_in address{};
  turn_around mode = turn_around::unlinked;
  bool poll_first = false;
  unsigned ring_entries = default_ring_entries;
};

struct connection {
  explicit connection(int socket) : fd(socket) {}
  ~connection() { ::close(fd); }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  int fd;
  bool receiving = false;
  bool sending = false;  // a send that will report its end; no other may start meanwhile
  bool failed = false;
  unsigned filled = 0;           // bytes of an incomplete request at the start of `input`
  unsigned ready = 0;            // complete requests without an answer
  const char* output = nullptr;  // what is being sent
  std::size_t output_left = 0;
  std::array<char, input_bytes> input;
};

// The answer to GET /plaintext: size and header fields are those of umcg-httpd, the date is the
// starting time.
std::string plaintext_answer() {
  std::array<char, 64> date{};
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::strftime(date.data(), date.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return std::string("HTTP/1.1 200 OK\r\nContent-Length: 13\r\n") +
         "Content-Type: text/plain; charset=utf-8\r\nDate: " + date.data() +
         "\r\n\r\nHello, World!";
}

std::string repeated(const std::string& text, std::size_t count) {
  std::string all;
  all.reserve(text.size() * count);
  while (count-- > 0) all += text;
  return all;
}

class callback_loop {
 public:
  callback_loop(const settings& chosen, int listener, int stop_signal)
      : settings_(chosen), listener_(listener), stop_signal_(stop_signal) {}
  ~callback_loop() {
    if (started_) io_uring_queue_exit(&ring_);
  }
  callback_loop(const callback_loop&) = delete;
  callback_loop& operator=(const callback_loop&) = delete;

  // Sets the ring up. Returns 0 or a negative errno.
  int start();
  // Serves until the stop signal. Returns 0, or the negative errno that made serving impossible.
  int run();

 private:
  void make_room(unsigned entries);
  io_uring_sqe* next_entry();
  void submit_accept();
  void submit_receive(connection& peer);
  void submit_send(connection& peer, int flags, unsigned entry_flags);

  void on_completion(const io_uring_cqe& completion);
  void on_accepted(const io_uring_cqe& completion);
  void on_received(connection& peer, int result);
  void on_sent(connection& peer, int result);
  void take_requests(connection& peer, unsigned received);
  void answer(connection& peer);
  void forget_send(connection& peer);
  void fail(connection& peer);

  const settings settings_;
  const int listener_;
  const int stop_signal_;
  const std::string answer_ = plaintext_answer();
  const std::string answers_ = repeated(answer_, batch_requests_max);
  unsigned silent_success_ = 0;
  bool started_ = false;
  bool stopping_ = false;
  int error_ = 0;
  signalfd_siginfo signal_{};
  io_uring ring_{};
  std::vector<std::unique_ptr<connection>> connections_;  // by fd
};

std::uint64_t user_data(operation what, int fd) {
  return static_cast<std::uint64_t>(fd) << 2 | static_cast<std::uint64_t>(what);
}

int callback_loop::start() {
  io_uring_params parameters{};
  parameters.flags = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
                     IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
  parameters.cq_entries = completions_per_entry * settings_.ring_entries;
  const int error = io_uring_queue_init_params(settings_.ring_entries, &ring_, &parameters);
  if (error != 0) return error;
  started_ = true;
  if ((parameters.features & IORING_FEAT_CQE_SKIP) != 0) silent_success_ = IOSQE_CQE_SKIP_SUCCESS;
  return 0;
}

int callback_loop::run() {
  io_uring_sqe* entry = next_entry();
  io_uring_prep_read(entry, stop_signal_, &signal_, sizeof signal_, 0);
  entry->user_data = user_data(operation::stop, stop_signal_);
  submit_accept();
  while (!stopping_ && error_ == 0) {
    const int result = io_uring_submit_and_wait(&ring_, 1);
    if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) return result;
    unsigned head = 0;
    io_uring_cqe* completion = nullptr;
    io_uring_for_each_cqe(&ring_, head, completion) {
      on_completion(*completion);
      io_uring_cq_advance(&ring_, 1);
    }
  }
  return error_;
}

// A linked pair must not be cut in two by a full submission queue.
void callback_loop::make_room(unsigned entries) {
  while (io_uring_sq_space_left(&ring_) < entries) io_uring_submit(&ring_);
}

io_uring_sqe* callback_loop::next_entry() {
  make_room(1);
  return io_uring_get_sqe(&ring_);
}

void callback_loop::submit_accept() {
  io_uring_sqe* const entry = next_entry();
  io_uring_prep_multishot_accept(entry, listener_, nullptr, nullptr, SOCK_CLOEXEC);
  entry->user_data = user_data(operation::accept, listener_);
}

void callback_loop::submit_receive(connection& peer) {
  io_uring_sqe* const entry = next_entry();
  io_uring_prep_recv(entry, peer.fd, peer.input.data() + peer.filled, input_bytes - peer.filled, 0);
  if (settings_.poll_first) entry->ioprio = IORING_RECVSEND_POLL_FIRST;
  entry->user_data = user_data(operation::receive, peer.fd);
  peer.receiving = true;
}

void callback_loop::submit_send(connection& peer, int flags, unsigned entry_flags) {
  io_uring_sqe* const entry = next_entry();
  io_uring_prep_send(entry, peer.fd, peer.output, peer.output_left, flags | MSG_NOSIGNAL);
  io_uring_sqe_set_flags(entry, entry_flags);
  entry->user_data = user_data(operation::send, peer.fd);
}

void callback_loop::on_completion(const io_uring_cqe& completion) {
  const auto what = static_cast<operation>(completion.user_data & 3);
  if (what == operation::accept) return on_accepted(completion);
  if (what == operation::stop) {
    stopping_ = true;
    return;
  }
  const auto& peer = connections_[static_cast<std::size_t>(completion.user_data >> 2)];
  if (!peer) return;
  if (what == operation::receive) return on_received(*peer, completion.res);
  on_sent(*peer, completion.res);
}

void callback_loop::on_accepted(const io_uring_cqe& completion) {
  if ((completion.flags & IORING_CQE_F_MORE) == 0) submit_accept();
  if (completion.res == -ECONNABORTED || completion.res == -EINTR) return;
  if (completion.res < 0) {
    error_ = completion.res;
    return;
  }
  const auto index = static_cast<std::size_t>(completion.res);
  if (connections_.size() <= index) connections_.resize(index + 1);
  connections_[index] = std::make_unique<connection>(completion.res);
  submit_receive(*connections_[index]);
}

void callback_loop::on_received(connection& peer, int result) {
  peer.receiving = false;
  if (result <= 0 || peer.failed) return fail(peer);
  take_requests(peer, static_cast<unsigned>(result));
  if (peer.filled == input_bytes) return fail(peer);
  if (!peer.sending) answer(peer);
}

// Counts the complete requests and moves what follows the last one to the front of the buffer.
void callback_loop::take_requests(connection& peer, unsigned received) {
  std::string_view bytes(peer.input.data(), peer.filled + received);
  for (std::size_t end = 0; (end = bytes.find(request_end)) != std::string_view::npos;) {
    bytes.remove_prefix(end + request_end.size());
    ++peer.ready;
  }
  if (!bytes.empty()) std::memmove(peer.input.data(), bytes.data(), bytes.size());
  peer.filled = static_cast<unsigned>(bytes.size());
}

void callback_loop::answer(connection& peer) {
  if (peer.ready == 0) return submit_receive(peer);
  peer.output = answers_.data();
  peer.output_left = answer_.size() * peer.ready;
  peer.ready = 0;
  make_room(2);
  switch (settings_.mode) {
    case turn_around::linked:
      submit_send(peer, MSG_WAITALL, IOSQE_IO_LINK | silent_success_);
      return submit_receive(peer);
    case turn_around::unlinked:
      submit_send(peer, MSG_WAITALL | MSG_DONTWAIT, silent_success_);
      return submit_receive(peer);
    case turn_around::separate:
      peer.sending = true;
      return submit_send(peer, MSG_WAITALL, 0);
  }
}

// The end of a send that was not silent: the last part of the output, a part of it, or an error.
void callback_loop::on_sent(connection& peer, int result) {
  if (peer.failed) return forget_send(peer);
  const bool full_buffer = result == -EAGAIN && settings_.mode == turn_around::unlinked;
  if (result <= 0 && !full_buffer) return forget_send(peer);
  const auto sent = full_buffer ? std::size_t{0} : static_cast<std::size_t>(result);
  peer.output += sent;
  peer.output_left -= sent;
  if (peer.output_left > 0) {
    if (settings_.mode == turn_around::linked) return fail(peer);
    peer.sending = true;
    return submit_send(peer, MSG_WAITALL, 0);
  }
  peer.sending = false;
  if (!peer.receiving) answer(peer);
}

void callback_loop::forget_send(connection& peer) {
  peer.sending = false;
  fail(peer);
}

// Closes as soon as no operation is in flight; the shutdown ends those that are.
void callback_loop::fail(connection& peer) {
  peer.failed = true;
  if (peer.receiving || peer.sending) {
    ::shutdown(peer.fd, SHUT_RDWR);
    return;
  }
  connections_[static_cast<std::size_t>(peer.fd)].reset();
}

template <typename Number>
bool parse_number(std::string_view text, Number& number) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc{} && stop == end;
}

bool parse_address(const std::string& text, sockaddr_in& address) {
  const std::size_t colon = text.rfind(':');
  std::uint16_t port = 0;
  if (colon == std::string::npos) return false;
  if (!parse_number(std::string_view(text).substr(colon + 1), port)) return false;
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  return inet_pton(AF_INET, text.substr(0, colon).c_str(), &address.sin_addr) == 1;
}

std::optional<settings> parse_command_line(int count, char** words) {
  settings chosen;
  bool listen = false;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    const bool last = i + 1 == count;
    if (word == "--linked")
      chosen.mode = turn_around::linked;
    else if (word == "--unlinked")
      chosen.mode = turn_around::unlinked;
    else if (word == "--separate")
      chosen.mode = turn_around::separate;
    else if (word == "--poll-first")
      chosen.poll_first = true;
    else if (word == "--listen" && !last)
      listen = parse_address(words[++i], chosen.address);
    else if (word == "--ring-entries" && !last) {
      if (!parse_number(std::string_view(words[++i]), chosen.ring_entries)) return std::nullopt;
    } else
      return std::nullopt;
  }
  if (!listen) return std::nullopt;
  return chosen;
}

int complain(const char* what, int error) {
  std::fprintf(stderr, "raw_server: %s: %s\n", what, std::strerror(error));
  return 1;
}

// Accepted sockets inherit TCP_NODELAY from the listener, which saves a system call for each.
int open_listener(sockaddr_in& address) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (fd >= 0 && ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
      ::bind(fd, generic, size) == 0 && ::listen(fd, SOMAXCONN) == 0 &&
      ::getsockname(fd, generic, &size) == 0) {
    return fd;
  }
  const int error = errno;
  if (fd >= 0) ::close(fd);
  errno = error;
  return -1;
}

// The signals that stop the server arrive as bytes on a descriptor, so that they cannot slip in
// between two waits.
int open_stop_signal() {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  ::sigprocmask(SIG_BLOCK, &stop, nullptr);
  return ::signalfd(-1, &stop, SFD_CLOEXEC);
}

void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int count, char** words) {
  auto chosen = parse_command_line(count, words);
  if (!chosen) {
    std::fputs(
        "usage: raw_server --listen ADDRESS:PORT [--linked | --unlinked | --separate]\n"
        "                  [--poll-first] [--ring-entries N]\n",
        stderr);
    return 2;
  }
  raise_descriptor_limit();
  const int listener = open_listener(chosen->address);
  if (listener < 0) return complain("cannot listen", errno);
  const int stop_signal = open_stop_signal();
  if (stop_signal < 0) return complain("signalfd", errno);
  callback_loop loop(*chosen, listener, stop_signal);
  if (const int error = loop.start()) return complain("io_uring", -error);
  std::array<char, INET_ADDRSTRLEN> host{};
  inet_ntop(AF_INET, &chosen->address.sin_addr, host.data(), host.size());
  std::printf("http://%s:%d/\n", host.data(), ntohs(chosen->address.sin_port));
  std::fflush(stdout);
  if (const int error = loop.run()) return complain("cannot go on", -error);
  return 0;
}
