// SPDX-License-Identifier: MIT

#include "httpd/configuration.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>
#include <utility>

#include <toml++/toml.h>

#include "httpd/schema.hpp"
#include "httpd/unknown_name.hpp"

namespace httpd {
namespace {

constexpr std::size_t file_bytes_max = 1024 * 1024;

// An array of nothing but strings, or what else it is.
found_value to_found(const toml::array& array) {
  std::vector<std::string> texts;
  for (const toml::node& each : array) {
    const auto* const text = each.as_string();
    if (!text) return other_value{"an array"};
    texts.push_back(text->get());
  }
  return texts;
}

found_value to_found(const toml::node& node) {
  if (const auto* const whole = node.as_integer()) return whole->get();
  if (const auto* const text = node.as_string()) return text->get();
  if (const auto* const truth = node.as_boolean()) return other_value{*truth ? "true" : "false"};
  if (node.is_floating_point()) return other_value{"a number with a fraction"};
  if (node.is_table()) return other_value{"a table"};
  if (const auto* const array = node.as_array()) return to_found(*array);
  return other_value{"a date or time"};
}

// A name as it can stand in a file. One that would not need quotes, such as "a.b", is not `a.b`.
std::string key_text(std::string_view name) {
  const auto bare = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  return !name.empty() && std::ranges::all_of(name, bare) ? std::string(name) : quoted(name);
}

bool names_a_table(const std::string& name) {
  return std::ranges::any_of(schema(),
                             [&](const key& each) { return each.name.starts_with(name + '.'); });
}

std::string located(const std::string& path, std::size_t line, const std::string& what) {
  return path + ':' + std::to_string(line) + ": " + what;
}

// Goes through one file's tables and collects what is wrong.
class reading {
 public:
  explicit reading(configuration& into) : into_(into) {}

  void read(const toml::table& table, const std::string& prefix) {
    for (auto&& [name, node] : table) {
      const std::string wrong = read_entry(prefix, key_text(name.str()), node);
      if (!wrong.empty()) problems_.emplace_back(name.source().begin.line, wrong);
    }
  }

  // In the order of the lines: a table's entries come in the order of their names.
  std::vector<std::string> problems(const std::string& path) {
    std::ranges::stable_sort(problems_, {}, &std::pair<std::size_t, std::string>::first);
    std::vector<std::string> lines;
    for (const auto& [line, wrong] : problems_) {
      lines.push_back(located(path, line, wrong));
    }
    return lines;
  }

 private:
  // Returns what is wrong with the entry itself.
  std::string read_entry(const std::string& prefix, const std::string& last_part,
                         const toml::node& node) {
    const std::string name = prefix + last_part;
    if (const key* const known = find_key(name)) {
      const std::string wrong = known->assign(to_found(node), into_);
      return wrong.empty() ? wrong : name + ": " + wrong;
    }
    const toml::table* const inner = node.as_table();
    if (!names_a_table(name)) {
      return inner && prefix.empty() ? unknown_table(name) : unknown_key(name);
    }
    if (!inner) return name + ": " + to_text(to_found(node)) + " is not a table ([" + name + "])";
    read(*inner, name + '.');
    return {};
  }

  configuration& into_;
  std::vector<std::pair<std::size_t, std::string>> problems_;  // with their lines
};

// The bytes of a file. Errors: those of fopen() and fread(), and file_too_large.
std::string read_file(const std::string& path, std::error_code& error) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             &std::fclose);
  std::string text(file ? file_bytes_max + 1 : 0, '\0');
  if (file) text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (!file || std::ferror(file.get()) != 0) error.assign(errno, std::generic_category());
  if (text.size() > file_bytes_max) error = std::make_error_code(std::errc::file_too_large);
  return text;
}

// toml++ begins with what it was doing: "Error while parsing key: ".
std::string_view without_preamble(std::string_view description) {
  const std::size_t colon = description.find(": ");
  if (!description.starts_with("Error while") || colon == description.npos) return description;
  return description.substr(colon + 2);
}

}  // namespace

std::vector<std::string> parse_configuration(std::string_view text, const std::string& path,
                                             configuration& into) {
  try {
    const toml::table table = toml::parse(text);
    reading file(into);
    file.read(table, "");
    if (const toml::node* const tls = table.get("tls")) {
      into.tls.where = path + ':' + std::to_string(tls->source().begin.line);
    }
    return file.problems(path);
  } catch (const toml::parse_error& error) {
    const std::string_view why = without_preamble(error.description());
    return {located(path, error.source().begin.line, "not TOML: " + std::string(why))};
  }
}

std::vector<std::string> read_configuration(const std::string& path, configuration& into) {
  std::error_code error;
  const std::string text = read_file(path, error);
  if (error) return {path + ": cannot be read: " + error.message()};
  return parse_configuration(text, path, into);
}

std::string to_toml(const configuration& settings) {
  std::string text;
  for (const key& each : schema()) text += each.name + " = " + each.value(settings) + '\n';
  return text;
}

}  // namespace httpd
