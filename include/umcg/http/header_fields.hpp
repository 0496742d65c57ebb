// SPDX-License-Identifier: MIT
#pragma once

// The header fields of one message, in the order they were sent: a view of their lines, which are
// found anew by each walk. So a message that nobody asks for its fields pays nothing for them, and
// a parked connection keeps no index.

#include <cstddef>
#include <iterator>
#include <optional>
#include <string_view>

namespace umcg::http {

struct header_field {
  std::string_view name;   // as sent; compare without regard to case
  std::string_view value;  // without the whitespace around it
};

// ASCII only: "Host" and "hOST" are one name, bytes above 127 are themselves.
bool equal_ignoring_case(std::string_view left, std::string_view right) noexcept;

class header_fields {
 public:
  class iterator {
   public:
    using value_type = header_field;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::forward_iterator_tag;
    using iterator_category = std::input_iterator_tag;

    iterator() noexcept = default;
    header_field operator*() const noexcept { return field_; }
    const header_field* operator->() const noexcept { return &field_; }
    iterator& operator++() noexcept {
      load();
      return *this;
    }
    iterator operator++(int) noexcept {
      iterator before = *this;
      load();
      return before;
    }
    bool operator==(const iterator& other) const noexcept { return line_ == other.line_; }

   private:
    friend class header_fields;
    explicit iterator(std::string_view rest) noexcept : rest_(rest) { load(); }
    void load() noexcept;

    const char* line_ = nullptr;  // begin of the current line; null at the end
    std::string_view rest_;       // the lines after it
    header_field field_;
  };

  header_fields() noexcept = default;
  // `lines` are well-formed field lines, "name: value" each ended by CR LF.
  explicit header_fields(std::string_view lines) noexcept : lines_(lines) {}

  iterator begin() const noexcept { return iterator(lines_); }
  iterator end() const noexcept { return iterator(); }
  bool empty() const noexcept { return lines_.empty(); }

  // The value of the first field of that name, whatever its case.
  std::optional<std::string_view> find(std::string_view name) const noexcept;
  std::string_view lines() const noexcept { return lines_; }

 private:
  std::string_view lines_;
};

}  // namespace umcg::http
