// SPDX-License-Identifier: MIT
#pragma once

// What a worker runs: a callable without arguments, owned, called once. Move-only, so it may own a
// connection; what fits into 64 bytes needs no allocation.

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace umcg {

class body {
 public:
  body() noexcept = default;

  template <class Callable>
  requires(!std::is_same_v<std::remove_cvref_t<Callable>, body> &&
           std::is_invocable_v<std::remove_cvref_t<Callable>&>)
      body(Callable&& callable) {  // NOLINT(google-explicit-constructor): a lambda is a body
    using stored = std::remove_cvref_t<Callable>;
    if constexpr (fits<stored>) {
      new (storage_) stored(std::forward<Callable>(callable));
      actions_ = &inline_actions<stored>;
    } else {
      new (storage_) stored*(new stored(std::forward<Callable>(callable)));
      actions_ = &heap_actions<stored>;
    }
  }

  body(body&& other) noexcept { take(other); }
  body& operator=(body&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  body(const body&) = delete;
  body& operator=(const body&) = delete;
  ~body() { reset(); }

  explicit operator bool() const noexcept { return actions_ != nullptr; }

  // The body must not be empty.
  void operator()() { actions_->call(storage_); }

  // Destroys the callable.
  void reset() noexcept {
    if (actions_ != nullptr) std::exchange(actions_, nullptr)->destroy(storage_);
  }

 private:
  struct actions {
    void (*call)(void* storage);
    void (*move)(void* from, void* to) noexcept;  // and destroys what was at `from`
    void (*destroy)(void* storage) noexcept;
  };

  static constexpr std::size_t inline_size_bytes = 64;

  template <class Stored>
  static constexpr bool fits =
      sizeof(Stored) <= inline_size_bytes &&
      alignof(Stored) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<Stored>;

  template <class Stored>
  static Stored& at(void* storage) noexcept {
    return *std::launder(static_cast<Stored*>(storage));
  }

  template <class Stored>
  static constexpr actions inline_actions = {
      [](void* storage) { at<Stored>(storage)(); },
      [](void* from, void* to) noexcept {
        new (to) Stored(std::move(at<Stored>(from)));
        at<Stored>(from).~Stored();
      },
      [](void* storage) noexcept { at<Stored>(storage).~Stored(); },
  };

  template <class Stored>
  static constexpr actions heap_actions = {
      [](void* storage) { (*at<Stored*>(storage))(); },
      [](void* from, void* to) noexcept { new (to) Stored*(at<Stored*>(from)); },
      [](void* storage) noexcept { delete at<Stored*>(storage); },
  };

  void take(body& other) noexcept {
    actions_ = std::exchange(other.actions_, nullptr);
    if (actions_ != nullptr) actions_->move(other.storage_, storage_);
  }

  alignas(std::max_align_t) std::byte storage_[inline_size_bytes];
  const actions* actions_ = nullptr;
};

}  // namespace umcg
