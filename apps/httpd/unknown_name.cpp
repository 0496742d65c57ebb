// SPDX-License-Identifier: MIT

#include "httpd/unknown_name.hpp"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include "httpd/schema.hpp"

namespace httpd {
namespace {

// Names that differ more are not mistaken for each other.
constexpr std::size_t distance_max = 3;

struct candidate {
  std::string_view name;
  std::size_t distance;
};

// Of "limits.header_size": "limits" and "header_size"; of "listen": "" and "listen".
std::pair<std::string_view, std::string_view> split(std::string_view name) {
  const std::size_t dot = name.find('.');
  if (dot == name.npos) return {"", name};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

// How many characters must be inserted, removed or replaced to make one of the other.
std::size_t distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (const char c : from) {
    std::size_t replaced = std::exchange(row[0], row[0] + 1);
    for (std::size_t i = 0; i < to.size(); ++i) {
      if (c != to[i]) ++replaced;
      replaced = std::exchange(row[i + 1], std::min({replaced, row[i] + 1, row[i + 1] + 1}));
    }
  }
  return row.back();
}

std::string did_you_mean(const std::vector<candidate>& candidates, std::size_t name_length) {
  const auto best = std::ranges::min_element(candidates, {}, &candidate::distance);
  if (best == candidates.end() || best->distance > std::min(distance_max, name_length / 2)) {
    return {};
  }
  return "; did you mean " + std::string(best->name) + '?';
}

std::string listed(const std::vector<std::string_view>& names) {
  std::string text;
  for (const std::string_view each : names) text.append(text.empty() ? "" : ", ").append(each);
  return text.empty() ? text : " (known: " + text + ')';
}

}  // namespace

// The right name in the wrong table is one step away.
std::string unknown_key(const std::string& name) {
  const auto [table, last] = split(name);
  std::vector<candidate> candidates;
  std::vector<std::string_view> neighbours;
  for (const key& each : schema()) {
    const auto [its_table, its_last] = split(each.name);
    candidates.push_back({each.name, distance(last, its_last) + (table == its_table ? 0 : 1)});
    if (table == its_table) neighbours.push_back(its_last);
  }
  const std::string meant = did_you_mean(candidates, last.size());
  return name + ": unknown key" + (meant.empty() ? listed(neighbours) : meant);
}

std::string unknown_table(const std::string& name) {
  std::vector<candidate> candidates;
  std::vector<std::string_view> tables;
  for (const key& each : schema()) {
    const std::string_view table = split(each.name).first;
    if (table.empty() || std::ranges::find(tables, table) != tables.end()) continue;
    tables.push_back(table);
    candidates.push_back({table, distance(name, table)});
  }
  const std::string meant = did_you_mean(candidates, name.size());
  return name + ": unknown table" + (meant.empty() ? listed(tables) : meant);
}

}  // namespace httpd
