// SPDX-License-Identifier: MIT
#pragma once

// Included before all else in what is compiled for the simulation: from here on `std::atomic` is a
// class whose every access is a point where another thread may go on. The library's own source is
// compiled so, unchanged.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "contract/simulation.hpp"

namespace std {

template <class T>
class interleaved_atomic {
 public:
  constexpr interleaved_atomic() noexcept = default;
  constexpr interleaved_atomic(T value) noexcept : value_(value) {}  // NOLINT
  interleaved_atomic(const interleaved_atomic&) = delete;
  interleaved_atomic& operator=(const interleaved_atomic&) = delete;

  // An order may be given and is not heeded.
  template <class... Order>
  T load(Order...) const noexcept {
    contract::simulation::point();
    return value_.load();
  }
  template <class... Order>
  void store(T value, Order...) noexcept {
    contract::simulation::point();
    value_.store(value);
  }
  T exchange(T value) noexcept {
    contract::simulation::point();
    return value_.exchange(value);
  }
  bool compare_exchange_strong(T& expected, T wanted) noexcept {
    contract::simulation::point();
    return value_.compare_exchange_strong(expected, wanted);
  }
  bool compare_exchange_weak(T& expected, T wanted) noexcept {
    contract::simulation::point();
    if (contract::simulation::random(8) == 0) {
      expected = value_.load();
      return false;
    }
    return value_.compare_exchange_strong(expected, wanted);
  }
  T fetch_add(T by) noexcept {
    contract::simulation::point();
    return value_.fetch_add(by);
  }
  T fetch_sub(T by) noexcept {
    contract::simulation::point();
    return value_.fetch_sub(by);
  }
  T fetch_or(T bits) noexcept {
    contract::simulation::point();
    return value_.fetch_or(bits);
  }
  T operator++() noexcept { return fetch_add(1) + 1; }
  T operator--() noexcept { return fetch_sub(1) - 1; }
  operator T() const noexcept { return load(); }  // NOLINT
  T operator=(T value) noexcept {                 // NOLINT
    store(value);
    return value;
  }

 private:
  atomic<T> value_{};
};

}  // namespace std

#define atomic interleaved_atomic
