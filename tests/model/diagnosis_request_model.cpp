// SPDX-License-Identifier: MIT

// Somebody asks two threads, one after the other and one of them twice, where they are; each
// answers when its signal arrives, which may be after the asker has lost patience, or while the
// other is being asked (diagnosis/inquiry.cpp). On the real request_state.
//
// Faults: "mixed": an answer is read that is not whole, or not of the one asked. "overwritten": an
// answer is written while something else is asked, or read. "stuck": the asker never gets to its
// end.

#include <compare>
#include <cstdint>

#include <gtest/gtest.h>

#include "diagnosis/request_state.hpp"
#include "model/explorer.hpp"
#include "model/verdict_table.hpp"

namespace umcg::model {
namespace {

using diagnosis::request_state;

enum class lacks : std::uint8_t {
  nothing,
  a_look_before_asking,    // asks although an earlier answer is still being written
  a_name_in_the_word,      // whoever gets a signal answers
  an_answer_that_is_kept,  // withdraws also what has been begun
};

enum stage_of_word : std::uint8_t { open, asked, answering, answered };
enum asker_stage : std::uint8_t { idle, filling, waits, waits_for_end, reads, ended };
enum answerer_stage : std::uint8_t { away, writes_first_half, writes_second_half, finishes };
enum wrong_kind : std::uint8_t { fine, mixed, overwritten };

constexpr int threads = 2;

struct request_scene {
  struct answerer {
    std::uint8_t signals;
    std::uint8_t at;
    auto operator<=>(const answerer&) const = default;
  };
  std::uint8_t word;
  std::uint8_t word_names;
  std::uint8_t asker;
  std::uint8_t next;      // which question
  std::uint8_t first_by;  // who has written each half of the answer; 0: nobody
  std::uint8_t second_by;
  std::uint8_t wrong;
  answerer all[threads];
  auto operator<=>(const request_scene&) const = default;
};

class request_world {
 public:
  using state = request_scene;

  explicit request_world(lacks lack) : lack_(lack) {}

  state initial() const { return {}; }
  state canonical(const state& now) const { return now; }
  const char* fault(const state& now) const {
    return now.wrong == mixed ? "mixed" : now.wrong == overwritten ? "overwritten" : nullptr;
  }
  const char* fault_at_rest(const state& now) const {
    return now.asker == ended ? nullptr : "stuck";
  }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    asker_steps(now, [&](const char* action, bool promised, auto change) {
      state next = now;
      change(next);
      visit(step{"asker", 0, action, -1, promised}, next);
    });
    for (int number = 0; number < threads; ++number) {
      answerer_steps(now, number, [&](const char* action, auto change) {
        state next = now;
        change(next, next.all[number]);
        visit(step{"thread", number + 1, action}, next);
      });
    }
  }

 private:
  // Twice the same, since a late signal may then answer the later question.
  static constexpr std::uint8_t questions[] = {1, 2, 1, 1};
  static constexpr std::uint8_t questions_count = 4;

  static std::uint8_t whom(const state& now) { return questions[now.next]; }

  // The real class, where the model has its word.
  static request_state& put_at(const state& now, request_state& real) {
    if (now.word >= asked) real.ask(now.word_names);
    if (now.word >= answering) real.begin(now.word_names);
    if (now.word == answered) real.finish(now.word_names);
    return real;
  }

  static void ask_next(state& next) { next.asker = ++next.next == questions_count ? ended : idle; }

  static void check_nobody_writes(state& next) {
    for (const auto& each : next.all) {
      if (each.at != away) next.wrong = overwritten;
    }
  }

  template <class Can>
  void asker_steps(const state& now, const Can& can) const {
    request_state real;
    put_at(now, real);
    switch (now.asker) {
      case idle:
        return can("looks whether it may ask", true, [&](state& next) {
          const bool may = lack_ == lacks::a_look_before_asking || real.may_ask();
          next.asker = filling;
          if (!may) ask_next(next);
        });
      case filling:
        return can("asks", true, [](state& next) {
          check_nobody_writes(next);
          next.first_by = next.second_by = 0;
          next.word = asked;
          next.word_names = whom(next);
          ++next.all[whom(next) - 1].signals;
          next.asker = waits;
        });
      case waits:
      case waits_for_end:
        if (real.is_answered()) {
          return can("sees the answer", true, [](state& next) { next.asker = reads; });
        }
        // Somebody else's clock: it passes, sooner or later.
        return can("loses patience", true, [&](state& next) { lose_patience(next, real); });
      case reads:
        return can("reads the answer", true, [](state& next) {
          check_nobody_writes(next);
          if (next.first_by != whom(next) || next.second_by != whom(next)) next.wrong = mixed;
          next.word = open;
          ask_next(next);
        });
      default:
        return;
    }
  }

  void lose_patience(state& next, request_state& real) const {
    if (next.asker == waits_for_end) return ask_next(next);
    if (lack_ == lacks::an_answer_that_is_kept || real.withdraw(whom(next))) {
      next.word = open;
      ask_next(next);
    } else {
      next.asker = waits_for_end;
    }
  }

  template <class Can>
  void answerer_steps(const state& now, int number, const Can& can) const {
    const auto self = static_cast<std::uint8_t>(number + 1);
    const auto& it = now.all[number];
    switch (it.at) {
      case away:
        if (it.signals == 0) return;
        return can("gets its signal", [&](state& next, auto& me) {
          --me.signals;
          if (!begins(now, self)) return;
          next.word = answering;
          me.at = writes_first_half;
        });
      case writes_first_half:
        return can("writes", [self](state& next, auto& me) {
          next.first_by = self;
          me.at = writes_second_half;
        });
      case writes_second_half:
        return can("writes the rest", [self](state& next, auto& me) {
          next.second_by = self;
          me.at = finishes;
        });
      default:
        return can("has answered", [self](state& next, auto& me) {
          next.word = answered;
          next.word_names = self;
          me.at = away;
        });
    }
  }

  bool begins(const state& now, std::uint8_t self) const {
    if (lack_ == lacks::a_name_in_the_word) return now.word == asked;
    request_state real;
    return put_at(now, real).begin(self);
  }

  lacks lack_;
};

auto explored(lacks lack) {
  return [lack](int, int, const char* until = "") { return explore(request_world(lack), until); };
}

const std::vector<size> two_threads{{1, 2}};

TEST(diagnosis_request_model, reads_whole_answers_of_those_asked) {
  expect_ok("an asker and two threads", two_threads, explored(lacks::nothing));
}

TEST(diagnosis_request_model, needs_a_look_before_asking) {
  expect_fault("no look", {1, 2}, "overwritten", explored(lacks::a_look_before_asking));
}

TEST(diagnosis_request_model, needs_a_name_in_the_word) {
  expect_fault("no name", {1, 2}, "mixed", explored(lacks::a_name_in_the_word));
}

TEST(diagnosis_request_model, keeps_what_has_been_begun) {
  expect_fault("withdraws what was begun", {1, 2}, "overwritten",
               explored(lacks::an_answer_that_is_kept));
}

}  // namespace
}  // namespace umcg::model
