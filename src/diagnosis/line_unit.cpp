// SPDX-License-Identifier: MIT
#include "diagnosis/line_unit.hpp"

#include "diagnosis/line_table.hpp"

namespace umcg::diagnosis {

namespace {

namespace content {
enum : std::uint64_t { path = 1, directory_index = 2 };
}
namespace form {
enum : std::uint64_t {
  block2 = 0x03,
  block4 = 0x04,
  data2 = 0x05,
  data4 = 0x06,
  data8 = 0x07,
  string = 0x08,
  block = 0x09,
  block1 = 0x0a,
  data1 = 0x0b,
  strp = 0x0e,
  udata = 0x0f,
  line_strp = 0x1f,
  data16 = 0x1e
};
}

std::string_view string_at(bytes strings, std::uint64_t offset) noexcept {
  byte_cursor cursor(strings);
  cursor.skip(offset);
  return cursor.string();
}

std::uint64_t read_number(byte_cursor& table, std::uint64_t its_form) noexcept {
  switch (its_form) {
    case form::data1:
      return table.fixed<std::uint8_t>();
    case form::data2:
      return table.fixed<std::uint16_t>();
    case form::data4:
      return table.fixed<std::uint32_t>();
    case form::data8:
      return table.fixed<std::uint64_t>();
    default:
      return table.unsigned_leb();
  }
}

void skip_value(byte_cursor& table, std::uint64_t its_form) noexcept {
  switch (its_form) {
    case form::data16:
      return table.skip(16);
    case form::block:
      return table.skip(table.unsigned_leb());
    case form::block1:
      return table.skip(table.fixed<std::uint8_t>());
    case form::block2:
      return table.skip(table.fixed<std::uint16_t>());
    case form::block4:
      return table.skip(table.fixed<std::uint32_t>());
    default:
      read_number(table, its_form);
  }
}

bool is_string(std::uint64_t its_form) noexcept {
  return its_form == form::string || its_form == form::strp || its_form == form::line_strp;
}

}  // namespace

line_unit::line_unit(byte_cursor& rest, const line_sections& sections) noexcept
    : sections_(sections) {
  constexpr std::uint32_t escape = 0xffffffff;
  std::uint64_t length = rest.fixed<std::uint32_t>();
  wide_ = length == escape;
  if (wide_) length = rest.fixed<std::uint64_t>();
  byte_cursor unit(rest.take(length));
  version_ = unit.fixed<std::uint16_t>();
  if (version_ < 2 || version_ > 5) return;
  if (version_ == 5) unit.skip(2);  // the sizes of an address and of a segment selector
  byte_cursor header(unit.take(unit.offset(wide_)));
  program_ = unit.rest();
  instruction_bytes_min_ = header.fixed<std::uint8_t>();
  if (version_ >= 4) header.skip(1);  // operations in an instruction: one but on VLIW machines
  header.skip(1);                     // whether rows are statements to begin with
  // NOLINTNEXTLINE(bugprone-signed-char-misuse): a number, which may be negative
  line_base_ = header.fixed<std::int8_t>();
  line_range_ = header.fixed<std::uint8_t>();
  first_special_ = header.fixed<std::uint8_t>();
  if (line_range_ == 0 || first_special_ == 0) return;
  operand_counts_ = header.take(first_special_ - 1);
  tables_ = header.rest();
  valid_ = true;
}

unsigned line_unit::operands(unsigned opcode) const noexcept {
  return opcode - 1 < operand_counts_.size() ? static_cast<unsigned>(operand_counts_[opcode - 1])
                                             : 0;
}

source_name line_unit::name_of_file(std::uint64_t number) const noexcept {
  if (version_ < 5) return find_in_old_tables(number);
  byte_cursor folders(tables_);
  byte_cursor files(tables_);
  find_entry(files, UINT64_MAX);  // to where the files begin
  const entry file = find_entry(files, number);
  return {find_entry(folders, file.folder).name, file.name};
}

// Two lists of strings, each of which an empty one ends. Files are counted from 1, folders too: 0
// is where the compiler ran.
source_name line_unit::find_in_old_tables(std::uint64_t number) const noexcept {
  byte_cursor folders(tables_);
  byte_cursor files(tables_);
  while (!files.string().empty()) continue;
  for (std::uint64_t at = 1; !files.at_end(); ++at) {
    const std::string_view name = files.string();
    if (name.empty()) break;
    const std::uint64_t folder = files.unsigned_leb();
    files.unsigned_leb();
    files.unsigned_leb();
    if (at != number) continue;
    std::string_view its_folder;
    for (std::uint64_t left = folder; left > 0; --left) its_folder = folders.string();
    return {its_folder, name};
  }
  return {};
}

// Reads over a whole table of version 5, which begins with the kinds and forms of its fields.
line_unit::entry line_unit::find_entry(byte_cursor& table, std::uint64_t number) const noexcept {
  const auto fields = table.fixed<std::uint8_t>();
  byte_cursor formats = table;
  for (unsigned left = 2U * fields; left > 0; --left) table.unsigned_leb();
  const std::uint64_t count = table.unsigned_leb();
  entry found;
  for (std::uint64_t at = 0; at < count && !table.at_end(); ++at) {
    entry one;
    byte_cursor format = formats;
    for (unsigned field = 0; field < fields; ++field) {
      const std::uint64_t kind = format.unsigned_leb();
      read_field(table, kind, format.unsigned_leb(), one);
    }
    if (at == number) found = one;
  }
  return found;
}

void line_unit::read_field(byte_cursor& table, std::uint64_t kind, std::uint64_t its_form,
                           entry& into) const noexcept {
  if (is_string(its_form)) {
    const std::string_view text = read_string(table, its_form);
    if (kind == content::path) into.name = text;
  } else if (kind == content::directory_index) {
    into.folder = read_number(table, its_form);
  } else {
    skip_value(table, its_form);
  }
}

std::string_view line_unit::read_string(byte_cursor& table, std::uint64_t its_form) const noexcept {
  if (its_form == form::string) return table.string();
  const std::uint64_t offset = table.offset(wide_);
  return string_at(its_form == form::strp ? sections_.strings : sections_.line_strings, offset);
}

}  // namespace umcg::diagnosis
