// SPDX-License-Identifier: MIT

// What it costs, and how long it takes, that workers block their carriers or compute for ever: from
// a block to the next worker on another carrier, by each way of noticing it; and how late well-
// behaved workers are beside badly behaved ones.
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "hand_off_mechanisms.hpp"
#include "umcg/group.hpp"

namespace {

using umcg::deadline;
using umcg::group;
using umcg::worker;
using clock_type = deadline::clock;
using microseconds = std::chrono::duration<double, std::micro>;
using std::chrono::milliseconds;

// What does not come back by itself, until it is told to.
class trouble {
 public:
  trouble() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    memory_ = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    faults_ = static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC));
    uffdio_api api{};
    api.api = UFFD_API;
    uffdio_register range{};
    range.range = {reinterpret_cast<std::uintptr_t>(memory_), page};
    range.mode = UFFDIO_REGISTER_MODE_MISSING;
    if (faults_ < 0 || ::ioctl(faults_, UFFDIO_API, &api) != 0 ||
        ::ioctl(faults_, UFFDIO_REGISTER, &range) != 0) {
      std::printf("no userfaultfd here: nobody in a page fault\n");
      faults_ = -1;
    }
  }
  ~trouble() {
    for (const int end : ends_) ::close(end);
    if (faults_ >= 0) ::close(faults_);
    ::munmap(memory_, page);
  }
  trouble(const trouble&) = delete;
  trouble& operator=(const trouble&) = delete;

  void read() const {
    char byte;
    if (::read(ends_[0], &byte, 1) < 0) std::perror("read");
  }
  void touch() const {
    if (faults_ >= 0) std::atomic_ref<char>(*static_cast<char*>(memory_)).store(1);
  }
  void end() const {
    if (::write(ends_[1], "x", 1) != 1) std::perror("write");
    uffdio_zeropage zeros{};
    zeros.range = {reinterpret_cast<std::uintptr_t>(memory_), page};
    if (faults_ >= 0 && ::ioctl(faults_, UFFDIO_ZEROPAGE, &zeros) != 0)
      std::perror("UFFDIO_ZEROPAGE");
  }

  // Writes 1 GiB and waits until the disk has it, again and again.
  static void sync_a_gibibyte(const std::string& path, clock_type::time_point until) {
    constexpr std::size_t block = std::size_t{1} << 20;
    constexpr int blocks = 1024;
    const int fd = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    const std::vector<char> bytes(block, 'x');
    while (fd >= 0 && clock_type::now() < until) {
      for (int at = 0; at < blocks; ++at) {
        if (::pwrite(fd, bytes.data(), block, static_cast<off_t>(block) * at) < 0) break;
      }
      ::fsync(fd);
    }
    ::close(fd);
    ::unlink(path.c_str());
  }

 private:
  static constexpr std::size_t page = 4096;
  std::array<int, 2> ends_{};
  void* memory_ = nullptr;
  int faults_ = -1;
};

// Wakes every 10 ms, and notes how late.
class tickers {
 public:
  tickers(group& on, int count, clock_type::time_point until) {
    for (int at = 0; at < count; ++at) {
      workers_.push_back(on.spawn([this, until] { tick(until); }));
    }
  }
  samples take() {
    for (worker& each : workers_) each.join();
    return std::move(late_);
  }

 private:
  void tick(clock_type::time_point until) {
    std::vector<double> mine;
    for (clock_type::time_point due = clock_type::now(); due < until;) {
      due += milliseconds(10);
      umcg::sleep_until(deadline(due));
      mine.push_back(microseconds(clock_type::now() - due).count());
    }
    const std::lock_guard<std::mutex> guard(mutex_);
    late_.us.insert(late_.us.end(), mine.begin(), mine.end());
  }

  std::mutex mutex_;
  samples late_;
  std::vector<worker> workers_;
};

void print_late(const std::string& name, samples& late) {
  std::printf("%-34s %8zu %8.3f %8.3f %8.3f %8.3f\n", name.c_str(), late.us.size(),
              late.at(0.5) / 1e3, late.at(0.99) / 1e3, late.at(0.999) / 1e3, late.at(1) / 1e3);
}

int ticks(unsigned servers, int seconds, const std::string& file) {
  std::printf("how late 1,000 workers are that wake every 10 ms; ms\n");
  std::printf("%-34s %8s %8s %8s %8s %8s\n", "beside", "count", "p50", "p99", "p99.9", "max");
  for (const bool with_trouble : {false, true}) {
    group on = group::start({.servers = servers});
    const trouble stuck;
    const auto until = clock_type::now() + std::chrono::seconds(seconds);
    std::vector<worker> bad;
    if (with_trouble) {
      bad.push_back(on.spawn([&] { stuck.read(); }));
      bad.push_back(on.spawn([&] { stuck.touch(); }));
      bad.push_back(on.spawn([&] { trouble::sync_a_gibibyte(file, until); }));
      bad.push_back(on.spawn([&] {
        while (clock_type::now() < until) {
        }
      }));
    }
    samples late = tickers(on, 1000, until).take();
    stuck.end();
    for (worker& each : bad) each.join();
    print_late(with_trouble ? "read, page fault, fsync, a loop" : "nobody", late);
  }
  return 0;
}

int mutex(unsigned servers) {
  constexpr int count = 200;
  constexpr milliseconds held(5);
  group on = group::start({.servers = servers});
  std::mutex one;
  const auto begin = clock_type::now();
  std::vector<worker> workers;
  for (int at = 0; at < count; ++at) {
    workers.push_back(on.spawn([&] {
      const std::lock_guard<std::mutex> guard(one);
      umcg::sleep_until(deadline::after(held));
    }));
  }
  for (worker& each : workers) each.join();
  const double took = microseconds(clock_type::now() - begin).count() / 1e3;
  std::printf("%d workers hold one std::mutex for 5 ms each: %.0f ms, %.2f of the least\n", count,
              took, took / (count * static_cast<double>(held.count())));
  return 0;
}

// Of 8 workers that compute, so many of which block first and lose their servers.
void measure_shares(unsigned servers, int seconds, std::size_t block_first) {
  constexpr std::size_t count = 8;
  group on = group::start({.servers = servers});
  const auto until = clock_type::now() + std::chrono::seconds(seconds);
  std::array<std::uint64_t, count> done{};
  std::vector<worker> busy;
  for (std::uint64_t& mine : done) {
    const bool blocks = busy.size() < block_first;
    busy.push_back(on.spawn([&mine, until, blocks] {
      constexpr timespec a_while{0, 20'000'000};
      if (blocks) ::nanosleep(&a_while, nullptr);
      for (; clock_type::now() < until; ++mine) compute_a_little();
    }));
  }
  samples late = tickers(on, 100, until).take();
  for (worker& each : busy) each.join();
  const auto [least, most] = std::ranges::minmax(done);
  const std::string name = std::to_string(block_first) + " of these blocked once";
  print_late(name, late);
  std::printf("%-34s the least share is %.3f of the most\n", "",
              static_cast<double>(least) / static_cast<double>(most));
}

int shares(unsigned servers, int seconds) {
  std::printf("8 workers compute, 100 wake every 10 ms; lateness in ms\n");
  std::printf("%-34s %8s %8s %8s %8s %8s\n", "", "count", "p50", "p99", "p99.9", "max");
  for (const std::size_t block_first : {0U, 4U}) measure_shares(servers, seconds, block_first);
  return 0;
}

int run(int argc, char** argv) {
  int rounds = 400;
  int seconds = 10;
  unsigned servers = 1;
  std::string file = "/tmp/umcg_hand_off_bench";
  std::string what = "all";
  CLI::App program("What becomes of well-behaved workers beside those that block or compute.");
  program.add_option("what", what, "mechanisms, costs, ticks, mutex, shares, or all of them")
      ->check(CLI::IsMember({"mechanisms", "costs", "ticks", "mutex", "shares", "all"}));
  program.add_option("--rounds", rounds, "blocks for each mechanism (400)")
      ->check(CLI::Range(10, 100000));
  program.add_option("--seconds", seconds, "of ticks and of shares (10)")
      ->check(CLI::Range(1, 3600));
  program.add_option("--servers", servers, "of ticks, mutex and shares (1)")
      ->check(CLI::Range(1, 64));
  program.add_option("--file", file, "1 GiB is written there (/tmp/umcg_hand_off_bench)");
  CLI11_PARSE(program, argc, argv);
  const auto wants = [&](const char* name) { return what == name || what == "all"; };
  int failed = 0;
  if (wants("mechanisms")) print_mechanisms(rounds);
  if (wants("costs")) print_costs(rounds);
  if (wants("ticks")) failed += ticks(servers, seconds, file);
  if (wants("mutex")) failed += mutex(servers);
  if (wants("shares")) failed += shares(servers, seconds);
  return failed;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "hand_off_bench: %s\n", problem.what());
    return 1;
  }
}
