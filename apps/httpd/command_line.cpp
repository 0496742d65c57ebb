// SPDX-License-Identifier: MIT

#include "httpd/command_line.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string_view>

#include <CLI/CLI.hpp>

#include "httpd/schema.hpp"

namespace httpd {
namespace {

constexpr int wrong_options = 2;

constexpr const char* about =
    "umcg-httpd: an HTTP server whose connections run as blocking code, each on its own worker.\n"
    "GET / lists what it answers.";

constexpr const char* more =
    "Options win over the configuration file, and that over the built-in defaults.\n"
    "conf/httpd.toml explains every key.\n"
    "\n"
    "When it accepts connections it prints one line with its URL. SIGTERM and SIGINT end it: it\n"
    "takes no more requests, finishes those that have begun, and exits. SIGQUIT writes what its\n"
    "workers do to standard error. SIGHUP reads the certificates again.\n"
    "\n"
    "Exit status: 0 after a signal, 1 if it cannot start or the configuration is wrong, 2 if the\n"
    "options are wrong.\n"
    "\n"
    "Example: umcg-httpd --listen :8080 --servers 4";

// The keys that are options too.
struct option {
  const char* key;
  const char* value;
  const char* about;
};

constexpr option options[] = {
    {"listen", "ADDRESS:PORT", "Where to listen"},
    {"servers", "NUMBER", "How many threads run workers, 0 for one per CPU"},
    {"kernel", "NAME", "How workers are run"},
    {"reactor", "NAME", "How workers wait for I/O"},
    {"tls.certificate", "FILE",
     "Serve HTTPS, with this certificate and its chain; several times for several"},
    {"tls.key", "FILE", "The key of the certificate, in the same order"},
};

found_value to_found(const std::string& text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && rest == end) return number;
  return text;
}

// "tls.certificate" is --tls-certificate.
std::string name_of(const option& made) {
  std::string name = std::string("--") + made.key;
  std::ranges::replace(name, '.', '-');
  return name;
}

std::string description_of(const option& made, const key& known) {
  return made.about + ("\n(" + known.accepted) + "; default: " + known.value({}) + ')';
}

// Given several times, an option has a list of values.
void add_list(CLI::App& to, const option& made, command_line& result) {
  const key* const known = find_key(made.key);
  const auto take = [known, &result](const std::vector<std::string>& texts) {
    const auto set = [known, texts](configuration& into) { known->assign(texts, into); };
    result.settings.emplace_back(set);
  };
  const auto check = [known](const std::string& text) {
    configuration unused;
    return known->assign(text, unused);
  };
  to.add_option_function<std::vector<std::string>>(name_of(made), take,
                                                   description_of(made, *known))
      ->type_name(made.value)
      ->allow_extra_args(false)
      ->check(CLI::Validator(check, "", known->name));
}

void add_key(CLI::App& to, const option& made, command_line& result) {
  const key* const known = find_key(made.key);
  const auto take = [known, &result](const std::string& text) {
    const auto set = [known, text](configuration& into) { known->assign(to_found(text), into); };
    result.settings.emplace_back(set);
  };
  const auto check = [known](const std::string& text) {
    configuration unused;
    return known->assign(to_found(text), unused);
  };
  to.add_option_function<std::string>(name_of(made), take, description_of(made, *known))
      ->type_name(made.value)
      ->check(CLI::Validator(check, "", known->name));
}

void add_options(CLI::App& to, command_line& result) {
  to.get_formatter()->column_width(25);
  for (const option& each : options) {
    (find_key(each.key)->is_list ? add_list : add_key)(to, each, result);
  }
  to.add_option("--config", result.configuration_path, "Configuration, a TOML file")
      ->type_name("FILE");
  to.add_flag("--check", result.check,
              "Check the configuration, print it as it would be used, and exit")
      ->disable_flag_override();
  to.set_help_flag("--help", "Print this text and exit");
  to.set_version_flag("--version", "umcg-httpd " UMCG_VERSION, "Print the version and exit");
}

}  // namespace

command_line parse_command_line(int argument_count, const char* const* arguments) {
  command_line result;
  CLI::App program(about, "umcg-httpd");
  program.footer(more);
  add_options(program, result);
  try {
    program.parse(argument_count, arguments);
  } catch (const CLI::Success& asked) {
    result.exit_status = program.exit(asked);
  } catch (const CLI::Error& wrong) {
    std::fprintf(stderr, "umcg-httpd: %s; see umcg-httpd --help\n", wrong.what());
    result.exit_status = wrong_options;
  }
  return result;
}

}  // namespace httpd
