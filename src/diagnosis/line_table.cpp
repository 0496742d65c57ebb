// SPDX-License-Identifier: MIT
#include "diagnosis/line_table.hpp"

#include <algorithm>
#include <array>

#include "diagnosis/line_unit.hpp"

namespace umcg::diagnosis {

namespace {

namespace standard {
enum : std::uint8_t {
  copy = 1,
  advance_pc,
  advance_line,
  set_file,
  set_column,
  negate_statement,
  set_basic_block,
  const_add_pc,
  fixed_advance_pc
};
}
namespace extended {
enum : std::uint8_t { end_sequence = 1, set_address };
}

// Runs the program of one unit: a machine whose rows each say which line begins at an address.
class line_machine {
 public:
  line_machine(const line_unit& unit, std::span<location> wanted) noexcept
      : unit_(unit), wanted_(wanted) {}

  void run() noexcept {
    byte_cursor program(unit_.program());
    while (!program.at_end()) step(program);
  }

 private:
  struct row {
    std::uint64_t address = 0;
    std::uint64_t file = 1;
    std::uint32_t line = 1;
  };

  void step(byte_cursor& program) noexcept {
    const auto opcode = program.fixed<std::uint8_t>();
    if (opcode >= unit_.first_special()) {
      const unsigned adjusted = opcode - unit_.first_special();
      advance(adjusted / unit_.line_range());
      now_.line += static_cast<std::uint32_t>(unit_.line_base() +
                                              static_cast<int>(adjusted % unit_.line_range()));
      append();
    } else if (opcode == 0) {
      run_extended(program);
    } else {
      run_standard(opcode, program);
    }
  }

  void run_standard(std::uint8_t opcode, byte_cursor& program) noexcept {
    switch (opcode) {
      case standard::copy:
        append();
        break;
      case standard::advance_pc:
        advance(program.unsigned_leb());
        break;
      case standard::advance_line:
        now_.line += static_cast<std::uint32_t>(program.signed_leb());
        break;
      case standard::set_file:
        now_.file = program.unsigned_leb();
        break;
      case standard::const_add_pc:
        advance((255U - unit_.first_special()) / unit_.line_range());
        break;
      case standard::fixed_advance_pc:
        now_.address += program.fixed<std::uint16_t>();
        break;
      default:
        for (unsigned left = unit_.operands(opcode); left > 0; --left) program.unsigned_leb();
        break;
    }
  }

  void run_extended(byte_cursor& program) noexcept {
    byte_cursor operation(program.take(program.unsigned_leb()));
    switch (operation.fixed<std::uint8_t>()) {
      case extended::end_sequence:
        append();
        now_ = {};
        in_sequence_ = false;
        break;
      case extended::set_address:
        now_.address = operation.fixed<std::uint64_t>();
        break;
      default:
        break;
    }
  }

  void advance(std::uint64_t operations) noexcept {
    now_.address += operations * unit_.instruction_bytes_min();
  }

  // The row before holds for the addresses up to this one.
  void append() noexcept {
    if (in_sequence_) describe(before_, now_.address);
    before_ = now_;
    in_sequence_ = true;
  }

  void describe(const row& of, std::uint64_t end) noexcept {
    auto at = std::ranges::lower_bound(wanted_, of.address, {}, &location::in_file);
    for (; at != wanted_.end() && at->in_file < end; ++at) {
      if (of.line == 0) continue;
      at->line = of.line;
      const source_name name = unit_.name_of_file(of.file);
      at->folder = name.folder;
      at->file = name.file;
    }
  }

  const line_unit& unit_;
  std::span<location> wanted_;
  row now_;
  row before_;
  bool in_sequence_ = false;
};

}  // namespace

void find_lines(const line_sections& sections, std::span<location> wanted) noexcept {
  byte_cursor rest(sections.lines);
  while (!rest.at_end()) {
    const line_unit unit(rest, sections);
    if (unit.valid()) line_machine(unit, wanted).run();
  }
}

}  // namespace umcg::diagnosis
