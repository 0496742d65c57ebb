// SPDX-License-Identifier: MIT

// The primitives of sync/ that give what they have to those in line: semaphores, shared mutexes and
// wait groups, against deadlines; sync/semaphore.cpp, shared_mutex.cpp, gate.cpp and wait_in() of
// sync/waiter.hpp, line for line, on the real state words. Each caller goes in and lets go again, a
// few times; of a wait group, some wait and the others are what they wait for. What is done under
// the lock of the line is one step, since it makes one exchange of the word; the opening of that
// lock is another.
//
// Faults. "lost": somebody waits, and nobody is going to let it go on. "crowded": more are inside
// than may be. "dangling": a signal for a waiter that is gone. "touched": the primitive is still
// used by one that has let go, and all others have finished: one of them may have destroyed it.
// "overtaken": one that comes goes in, and another is in line. "kept out": a reader is first in
// line while others read. "endless": somebody spins.

#include <algorithm>
#include <bit>
#include <compare>
#include <cstdint>
#include <iterator>

#include <gtest/gtest.h>

#include "model/explorer.hpp"
#include "model/verdict_table.hpp"
#include "model/waiting_line.hpp"
#include "umcg/sync/gate_state.hpp"
#include "umcg/sync/semaphore_state.hpp"
#include "umcg/sync/shared_mutex_state.hpp"

namespace umcg::model {
namespace {

// What a variant does without. `none`: what the primitives do.
enum class without : std::uint8_t {
  none,
  queueing_by_exchange,      // one that comes finds nothing, and gets in line later in any case
  leaving_by_the_word,       // the last one to leave at its deadline leaves the flag as it is
  letting_readers_in,        // a writer that leaves says nothing to the readers behind it
  looking_whether_taken,     // at its deadline it goes, whoever has taken it out
  letting_go_before_a_look,  // it is let go under the lock of a line in which nobody is
};

enum stage : std::uint8_t {
  idle,
  tries,
  waits,
  leaves,
  pinned,
  inside,
  lets_go_in_line,
  opens_line,
  signals,
};
enum wrong_kind : std::uint8_t { fine, crowded, dangling, touched, overtaken, kept_out };
constexpr const char* wrong_words[] = {nullptr,   "crowded",   "dangling",
                                       "touched", "overtaken", "kept out"};
// What a caller is. A semaphore has takers, a shared mutex readers and writers, a wait group parts
// and those who wait for them.
enum role : std::uint8_t { nobody, taker, reader, writer, part, awaiter };

constexpr int callers_most = 4;

struct line_scene {
  struct caller {
    std::uint8_t plays;
    std::uint8_t at;
    std::uint8_t left;
    std::uint8_t heard;
    std::uint8_t to_grant;  // whom it has taken out and not signalled, a bit for each
    std::uint8_t passed_on;
    auto operator<=>(const caller&) const = default;
  };

  // The word: units, readers or parts to come; a writer; somebody waits.
  std::uint8_t count;
  std::uint8_t written;
  std::uint8_t queued;
  std::uint8_t wrong;
  waiting_line<callers_most> line;
  caller callers[callers_most];
  auto operator<=>(const line_scene&) const = default;
};

struct semaphores {
  using real = sync::semaphore_state;
  static constexpr int units = 1;

  static void begin(line_scene& first) { first.count = units; }
  static role role_of(int /*caller*/) { return taker; }
  template <class Move>
  static bool make(line_scene& now, const Move& move) {
    real word(now.count);
    if (now.queued != 0) word.take_or_queue();
    const bool result = move(word);
    now.count = static_cast<std::uint8_t>(word.units());
    now.queued = word.somebody_waits() ? 1 : 0;
    return result;
  }

  static bool enter(real& word, role) { return word.take(); }
  static bool enter_or_queue(real& word, role) { return word.take_or_queue(); }
  static bool let_go(real& word, role) { return word.give(1); }
  // Takes out of the line who goes on, which is not empty. False: it has to try again.
  static bool hand_over(line_scene& now, role, std::uint8_t& taken) {
    taken = bit(now.line.pop());
    const bool more = !now.line.empty();
    return make(now, [more](real& word) { return word.give_rest(0, more), true; });
  }
  static void let_go_alone(line_scene& now, role) { ++now.count; }
  static void leave(line_scene& now, std::uint8_t& /*taken*/, bool /*lets_in*/) {
    const bool more = !now.line.empty();
    make(now, [more](real& word) { return word.leave(more), true; });
  }
  static bool is_crowded(const int (&inside_of)[6]) { return inside_of[taker] > units; }
};

struct shared_mutexes {
  using real = sync::shared_mutex_state;

  static void begin(line_scene&) {}
  static role role_of(int caller) { return caller % 2 == 0 ? writer : reader; }
  template <class Move>
  static bool make(line_scene& now, const Move& move) {
    real word;
    if (now.written != 0) word.take();
    for (int i = 0; i < now.count; ++i) word.take_shared();
    if (now.queued != 0) word.take_or_queue();
    const bool result = move(word);
    now.count = static_cast<std::uint8_t>(word.readers());
    now.written = word.written() ? 1 : 0;
    now.queued = word.somebody_waits() ? 1 : 0;
    return result;
  }

  static bool enter(real& word, role as) { return as == writer ? word.take() : word.take_shared(); }
  static bool enter_or_queue(real& word, role as) {
    return as == writer ? word.take_or_queue() : word.take_shared_or_queue();
  }
  static bool let_go(real& word, role as) {
    return as == writer ? word.let_go() : word.let_go_shared();
  }
  static std::uint8_t take_readers(line_scene& now, std::uint8_t& taken) {
    std::uint8_t count = 0;
    for (; !now.line.empty() && now.callers[now.line.first()].plays == reader; ++count) {
      taken = static_cast<std::uint8_t>(taken | bit(now.line.pop()));
    }
    return count;
  }
  static bool hand_over(line_scene& now, role as, std::uint8_t& taken) {
    if (as == reader && now.count != 1) return false;
    const std::uint8_t readers = take_readers(now, taken);
    if (readers == 0) taken = bit(now.line.pop());
    const bool more = !now.line.empty();
    return make(now, [=](real& word) { return word.hand_over(readers, more), true; });
  }
  static void let_go_alone(line_scene& now, role as) {
    as == writer ? now.written = 0 : --now.count;
  }
  static void leave(line_scene& now, std::uint8_t& taken, bool lets_in) {
    const std::uint8_t count = now.written != 0 || !lets_in ? 0 : take_readers(now, taken);
    const bool more = !now.line.empty();
    make(now, [=](real& word) { return word.leave(count, more), true; });
  }
  static bool is_crowded(const int (&inside_of)[6]) {
    return inside_of[writer] > 1 || (inside_of[writer] == 1 && inside_of[reader] != 0);
  }
};

struct wait_groups {
  using real = sync::gate_state;

  static void begin(line_scene& first) {
    for (line_scene::caller& each : first.callers) {
      if (each.plays != part) continue;
      ++first.count;
      each.left = 0;
      each.at = inside;
    }
  }
  static role role_of(int caller) { return caller % 2 == 0 ? part : awaiter; }
  template <class Move>
  static bool make(line_scene& now, const Move& move) {
    real word(now.count);
    if (now.queued != 0) word.queue();
    const bool result = move(word);
    now.count = static_cast<std::uint8_t>(word.count());
    now.queued = word.somebody_waits() ? 1 : 0;
    return result;
  }

  static bool enter(real& word, role) { return word.is_open(); }
  static bool enter_or_queue(real& word, role) { return !word.queue(); }
  static bool let_go(real& word, role as) {
    return as == awaiter || word.take(1) == sync::taken::yes;
  }
  static bool hand_over(line_scene& now, role, std::uint8_t& taken) {
    const bool opens = make(now, [](real& word) { return word.take_queued(1); });
    while (opens && !now.line.empty())
      taken = static_cast<std::uint8_t>(taken | bit(now.line.pop()));
    return true;
  }
  static void let_go_alone(line_scene& now, role) { --now.count; }
  static void leave(line_scene& now, std::uint8_t& /*taken*/, bool /*lets_in*/) {
    const bool more = !now.line.empty();
    make(now, [more](real& word) { return word.leave(more), true; });
  }
  // Nobody has waited long enough before the last part is done.
  static bool is_crowded(const int (&inside_of)[6]) {
    return inside_of[awaiter] != 0 && inside_of[part] != 0;
  }
};

template <class Primitive>
class line_model {
 public:
  using state = line_scene;
  using real = typename Primitive::real;

  line_model(int callers, int calls_each, without lack)
      : callers_(callers), calls_each_(calls_each), lack_(lack) {}

  state initial() const {
    state first{};
    for (int i = 0; i < callers_; ++i) {
      first.callers[i].plays = Primitive::role_of(i);
      first.callers[i].left = static_cast<std::uint8_t>(calls_each_);
    }
    Primitive::begin(first);
    return first;
  }
  state canonical(const state& now) const { return now; }

  const char* fault(const state& now) const { return wrong_words[now.wrong]; }
  const char* fault_at_rest(const state& now) const {
    for (const caller& each : now.callers) {
      if (each.at != idle) return "lost";
    }
    return nullptr;
  }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    for (int i = 0; i < callers_; ++i) {
      const auto can = [&](const char* action, auto change, bool promised = true) {
        state next = now;
        change(next, next.callers[i]);
        look_for_faults(next);
        visit(step{"caller", i, action, -1, promised}, next);
      };
      enter_steps(now, i, can);
      let_go_steps(now, i, can);
    }
  }

 private:
  using caller = state::caller;

  bool lacks(without what) const { return lack_ == what; }
  static role role_in(const caller& one) { return static_cast<role>(one.plays); }

  static bool line_is_locked(const state& now) {
    return std::any_of(std::begin(now.callers), std::end(now.callers),
                       [](const caller& each) { return each.at == opens_line; });
  }

  static void look_for_faults(state& next) {
    int inside_of[6] = {};
    int busy = 0;
    for (const caller& each : next.callers) {
      if (each.at == inside || each.at == lets_go_in_line) ++inside_of[each.plays];
      busy += each.at != idle || each.left != 0 ? 1 : 0;
    }
    if (Primitive::is_crowded(inside_of)) next.wrong = crowded;
    if (!next.line.empty() && next.callers[next.line.first()].plays == reader && next.count != 0) {
      next.wrong = kept_out;
    }
    for (const caller& each : next.callers) {
      if (busy == 1 && each.at == opens_line && each.left == 0 && each.passed_on != 0) {
        next.wrong = touched;
      }
    }
  }

  // It came and found what it wanted.
  void goes_in(state& next, int i) const {
    if (!next.line.empty()) next.wrong = overtaken;
    for (caller& each : next.callers) {
      if (each.at == opens_line) each.passed_on = 1;
    }
    next.callers[i].at = inside;
  }

  template <class Can>
  void enter_steps(const state& now, int i, const Can& can) const {
    const role as = role_in(now.callers[i]);
    switch (now.callers[i].at) {
      case idle:
        if (now.callers[i].left == 0) return;
        return can(
            "calls",
            [&](state& next, caller& me) {
              --me.left;
              me.at = tries;
              const auto move = [as](real& word) { return Primitive::enter(word, as); };
              if (Primitive::make(next, move)) goes_in(next, i);
            },
            false);
      case tries:
        if (line_is_locked(now)) return;
        return can("gets in line, or goes in", [&](state& next, caller&) { queue(next, i); });
      case waits:
      case pinned:
        if (now.callers[i].heard != 0) {
          return can("hears the signal", [](state&, caller& me) {
            me.heard = 0;
            me.at = inside;
          });
        }
        if (now.callers[i].at == pinned) return;
        return can(
            "sees its deadline pass", [](state&, caller& me) { me.at = leaves; }, false);
      case leaves:
        if (line_is_locked(now)) return;
        return can("leaves the line, if it is in it",
                   [&](state& next, caller&) { leave(next, i); });
      default:
        return;
    }
  }

  void queue(state& next, int i) const {
    const role as = role_in(next.callers[i]);
    state before = next;
    if (Primitive::make(next, [as](real& word) { return Primitive::enter_or_queue(word, as); })) {
      if (!lacks(without::queueing_by_exchange)) return goes_in(next, i);
      next = before;
      next.queued = next.count == 0 && next.written == 0 ? 0 : 1;
    }
    next.line.push_back(i);
    next.callers[i].at = waits;
  }

  void leave(state& next, int i) const {
    caller& me = next.callers[i];
    if (!next.line.remove(i)) {
      me.at = lacks(without::looking_whether_taken) ? idle : pinned;
      return;
    }
    std::uint8_t let_in = 0;
    Primitive::leave(next, let_in, !lacks(without::letting_readers_in));
    if (lacks(without::leaving_by_the_word)) next.queued = 1;
    me.to_grant = let_in;
    me.at = let_in != 0 ? signals : idle;
  }

  template <class Can>
  void let_go_steps(const state& now, int i, const Can& can) const {
    const role as = role_in(now.callers[i]);
    switch (now.callers[i].at) {
      case inside:
        return can("lets go, if nobody waits", [&](state& next, caller& me) {
          const auto move = [as](real& word) { return Primitive::let_go(word, as); };
          me.at = Primitive::make(next, move) ? idle : lets_go_in_line;
        });
      case lets_go_in_line:
        if (line_is_locked(now)) return;
        return can("looks into the line", [&](state& next, caller& me) { hand_over(next, me); });
      case opens_line:
        return can("opens the line", [](state&, caller& me) {
          me.at = me.to_grant != 0 ? signals : idle;
          me.passed_on = 0;
        });
      case signals:
        return can("signals the next", [](state& next, caller& me) {
          const int other = std::countr_zero(me.to_grant);
          caller& its = next.callers[other];
          if ((its.at != waits && its.at != leaves && its.at != pinned) || its.heard != 0) {
            next.wrong = dangling;
          }
          its.heard = 1;
          me.to_grant = static_cast<std::uint8_t>(me.to_grant & (me.to_grant - 1));
          if (me.to_grant == 0) me.at = idle;
        });
      default:
        return;
    }
  }

  void hand_over(state& next, caller& me) const {
    const role as = role_in(me);
    if (next.line.empty()) {
      me.at = inside;
      if (!lacks(without::letting_go_before_a_look)) return;
      Primitive::let_go_alone(next, as);
      me.at = opens_line;
      return;
    }
    std::uint8_t taken = 0;
    me.at = Primitive::hand_over(next, as, taken) ? opens_line : inside;
    me.to_grant = taken;
  }

  int callers_;
  int calls_each_;
  without lack_;
};

template <class Primitive>
auto in_variant(without lack) {
  return [lack](int callers, int calls, const char* until = "") {
    return explore(line_model<Primitive>(callers, calls, lack), until);
  };
}

// Sizes are callers x calls of each.
const std::vector<size> sizes{{2, 1}, {2, 2}, {3, 1}, {3, 3}, {4, 1}, {4, 2}};

TEST(sync_line_model, loses_nobody) {
  expect_ok("semaphore", sizes, in_variant<semaphores>(without::none));
  expect_ok("shared mutex", sizes, in_variant<shared_mutexes>(without::none));
  expect_ok("wait group", sizes, in_variant<wait_groups>(without::none));
}

TEST(sync_line_model, needs_callers_that_queue_by_the_exchange_that_finds_nothing) {
  expect_fault("semaphore", {2, 1}, "lost", in_variant<semaphores>(without::queueing_by_exchange));
  expect_fault("shared mutex", {2, 1}, "lost",
               in_variant<shared_mutexes>(without::queueing_by_exchange));
  expect_fault("wait group", {2, 1}, "lost",
               in_variant<wait_groups>(without::queueing_by_exchange));
}

TEST(sync_line_model, needs_leavers_that_clear_the_flag) {
  expect_fault("semaphore", {2, 1}, "endless",
               in_variant<semaphores>(without::leaving_by_the_word));
  expect_fault("shared mutex", {2, 1}, "endless",
               in_variant<shared_mutexes>(without::leaving_by_the_word));
  expect_fault("wait group", {2, 1}, "endless",
               in_variant<wait_groups>(without::leaving_by_the_word));
}

TEST(sync_line_model, needs_writers_that_let_readers_in_when_they_leave) {
  expect_fault("shared mutex", {4, 1}, "kept out",
               in_variant<shared_mutexes>(without::letting_readers_in));
}

TEST(sync_line_model, needs_a_look_whether_it_was_taken_out) {
  expect_fault("semaphore", {2, 1}, "dangling",
               in_variant<semaphores>(without::looking_whether_taken));
  expect_fault("shared mutex", {2, 1}, "dangling",
               in_variant<shared_mutexes>(without::looking_whether_taken));
  expect_fault("wait group", {2, 1}, "dangling",
               in_variant<wait_groups>(without::looking_whether_taken));
}

TEST(sync_line_model, needs_an_empty_line_to_be_left_before_it_is_let_go) {
  expect_fault("semaphore", {3, 1}, "touched",
               in_variant<semaphores>(without::letting_go_before_a_look));
  expect_fault("wait group", {2, 2}, "touched",
               in_variant<wait_groups>(without::letting_go_before_a_look));
}

}  // namespace
}  // namespace umcg::model
