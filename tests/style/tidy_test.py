#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each rule of tidy.py finds an input that breaks it, and lets pass what only looks like it."""

import tempfile
import unittest
from pathlib import Path

import tidy
from source import SourceFile
from tree_rules import Tree

HEAD = "// SPDX-License-Identifier: MIT\n#pragma once\n\n"


def rules_broken_by(text, path="src/base/word.hpp"):
    return {finding.rule for finding in tidy.findings_of_file(SourceFile(path, text))}


def functions_of(text):
    return [(found.name, found.lines, found.parameters)
            for found in SourceFile("src/base/word.cpp", text).functions]


class Text(unittest.TestCase):
    def test_good_file(self):
        self.assertEqual(rules_broken_by(HEAD + "int one();\n"), set())

    def test_file_length(self):
        self.assertEqual(rules_broken_by(HEAD + "int a;\n" * 497), set())
        self.assertEqual(rules_broken_by(HEAD + "int a;\n" * 498), {"file-length"})

    def test_columns(self):
        self.assertEqual(rules_broken_by(HEAD + "// " + "x" * 97 + "\n"), set())
        self.assertEqual(rules_broken_by(HEAD + "// " + "x" * 98 + "\n"), {"columns"})
        prose = "a " * 60 + "\n"
        self.assertEqual(rules_broken_by("a" + " a" * 59 + "\n", "README.md"), set())
        self.assertIn("columns", rules_broken_by("b" + prose, "README.md"))

    def test_white_space(self):
        for text in ("int a; \n", "int a;", "\tint a;\n", "int a;\n\n\nint b;\n", "int a;\n\n"):
            self.assertEqual(rules_broken_by(HEAD + text), {"white-space"}, repr(text))

    def test_license_line(self):
        self.assertEqual(rules_broken_by("#pragma once\n"), {"license-line"})
        self.assertEqual(rules_broken_by("import sys\n", "tests/a.py"), {"license-line"})
        script = "#!/usr/bin/env python3\n# SPDX-License-Identifier: MIT\n"
        self.assertEqual(rules_broken_by(script, "tests/a.py"), set())

    def test_pragma_once(self):
        guarded = "// SPDX-License-Identifier: MIT\n#ifndef A_H\n#define A_H\n#endif\n"
        self.assertEqual(rules_broken_by(guarded, "include/umcg/a.h"), set())
        self.assertEqual(rules_broken_by(guarded), {"pragma-once"})
        self.assertEqual(rules_broken_by("// SPDX-License-Identifier: MIT\n"), {"pragma-once"})

    def test_unfinished(self):
        for word in ("TO" "DO", "FIX" "ME", "XX" "X"):
            self.assertEqual(rules_broken_by(HEAD + f"// {word} later\n"), {"unfinished"})


class Words(unittest.TestCase):
    def check(self, code, rule, path="src/base/word.hpp"):
        self.assertEqual(rules_broken_by(HEAD + code + "\n", path), {rule} if rule else set(), code)

    def test_volatile(self):
        self.check("volatile int a;", "volatile")
        self.check('asm volatile("");', None)
        self.check('__asm__ volatile("");', None)
        self.check("// volatile\nint a;  /* volatile */", None)
        self.check('const char* a = "volatile";', None)
        self.check('const char* a = R"(volatile)";', None)
        self.check("int a = 1'000; volatile int b = 2'000;", "volatile")

    def test_sleep(self):
        self.check("void a() { std::this_thread::sleep_for(second); }", "sleep")
        self.check("void a() { usleep(1); }", "sleep")
        text = "# SPDX-License-Identifier: MIT\nimport time\n\ntime.sle" "ep(1)\n"
        self.assertEqual(rules_broken_by(text, "tests/a_test.py"), {"sleep"})
        self.assertEqual(rules_broken_by(text, "loadtest/a.py"), set())

    def test_regex(self):
        self.check("#include <regex>", "regex")
        self.check("std::regex a;", "regex")

    def test_shared_ptr(self):
        self.check("std::shared_ptr<int> a;", "shared-ptr", "src/http/word.hpp")
        self.check("std::shared_ptr<int> a;", None, "src/base/word.hpp")

    def test_thread(self):
        self.check("std::thread a;", "thread", "src/io/word.hpp")
        self.check("std::jthread a;", "thread", "apps/httpd/word.hpp")
        self.check("std::thread a;", None, "src/kernel/word.hpp")
        self.check("std::thread a;", None, "tests/unit/word.hpp")
        self.check("unsigned a = std::thread::hardware_concurrency();", None, "src/io/word.hpp")

    def test_memory_order(self):
        self.check("int a = b.load(std::memory_order_relaxed);", "memory-order")
        self.check("int a = b.load(std::memory_order::relaxed);", "memory-order")
        self.check("int a = __atomic_load_n(&b, __ATOMIC_RELAXED);", "memory-order")
        for path in ("src/libumcg/task_state.hpp", "src/libumcg/idle_workers.hpp"):
            self.check("int a = b.load(std::memory_order_relaxed);", None, path)

    def test_names(self):
        for code in ("class ring_manager;", "struct UMCG_CAPABILITY(\"a\") io_helper {};",
                     "namespace umcg::util {}", "using task_impl = int;", "enum class common {};",
                     "void do_read();"):
            self.check(code, "name")
        self.check("class process_exit;", "name")
        self.check("class processor;", None)
        self.check("int a;", "name", "src/base/ring_manager.hpp")


class Functions(unittest.TestCase):
    def test_length(self):
        fits = "int a(int b) {\n" + "  b += 1;\n" * 58 + "}\n"
        self.assertEqual(rules_broken_by(HEAD + fits), set())
        self.assertEqual(rules_broken_by(HEAD + fits.replace("{\n", "{\n\n")), {"function-length"})
        script = "# SPDX-License-Identifier: MIT\ndef a():\n" + "    b = 1\n" * 60
        self.assertEqual(rules_broken_by(script, "dev_test.py"), {"function-length"})

    def test_length_in_nested_scopes(self):
        body = "{\n" + "  if (b) { c({1, 2}); }\n" * 59 + "}\n"
        for head in ("class b final : public c {\n public:\n  d() : e_{1}, f_(2) ",
                     "class b {\n  int c = 1;\n  int d{2};\n  auto e() const -> int ",
                     "struct alignas(64) b {\n  bool operator()(int c) noexcept ",
                     "struct UMCG_CAPABILITY(\"m\") b {\n  TEST(c, d) "):
            text = HEAD + "namespace a {\n" + head + body + "};\n}\n"
            self.assertEqual(rules_broken_by(text), {"function-length"}, head)

    def test_parameters(self):
        five = "int a, int (*b)(int, int), std::map<int, int> c, d<e, f> g = {1, 2}, int h"
        self.assertEqual(rules_broken_by(HEAD + f"void a({five});\n"), set())
        self.assertEqual(rules_broken_by(HEAD + f"void a({five}, int i);\n"), {"parameters"})
        self.assertEqual(rules_broken_by(HEAD + f"void a({five}, int i) {{}}\n"), {"parameters"})
        script = "# SPDX-License-Identifier: MIT\ndef a(b, c, d, e, f, g):\n    pass\n"
        self.assertEqual(rules_broken_by(script, "dev_test.py"), {"parameters"})

    def test_parameters_of_constructors_and_templates(self):
        self.assertEqual(functions_of("struct a {\n  a(int b, int c) : d_(b, c), e_{c} {}\n};\n"),
                         [("a", 1, 2)])
        self.assertEqual(functions_of("template <class A, class B>\nrequires(c<A, B>)\n"
                                      "void d(A e, B f) { g(1, 2, 3); }\n"), [("d", 1, 2)])
        self.assertEqual(functions_of("void a(std::function<void(int, int)> b);\n"), [("a", 0, 1)])
        self.assertEqual(functions_of("const std::array a{b(1, 2), b(3, 4)};\n"), [])
        self.assertEqual(functions_of("#define A(b) \\\n  { c(b)\nint d() { return 1; }\n"),
                         [("d", 1, 0)])


class WholeTree(unittest.TestCase):
    def broken(self, rule, files):
        tree = Tree([SourceFile(path, text) for path, text in files.items()])
        return {finding.path for finding in rule(tree)}

    def test_layer_order(self):
        rule = tidy.tree_rules.layer_order
        files = {"src/io/a.hpp": '#include "net/b.hpp"\n', "src/net/b.hpp": "",
                 "src/net/c.hpp": '#include "io/a.hpp"\n', "tests/d.cpp": '#include "net/b.hpp"\n',
                 "include/umcg/http/e.hpp": "", "src/tls/f.cpp": "#include <umcg/http/e.hpp>\n"}
        self.assertEqual(self.broken(rule, files), {"src/io/a.hpp", "src/tls/f.cpp"})
        self.assertEqual(self.broken(rule, {"include/umcg/unheard_of.hpp": ""}),
                         {"include/umcg/unheard_of.hpp"})

    def test_includes(self):
        rule = tidy.tree_rules.includes
        files = {"src/io/a.hpp": '#include "io/gone.hpp"\n', "src/io/b.hpp": "#include <vector>\n",
                 "include/umcg/c.hpp": '#include "io/b.hpp"\n'}
        self.assertEqual(self.broken(rule, files), {"src/io/a.hpp", "include/umcg/c.hpp"})

    def test_own_header_first(self):
        rule = tidy.tree_rules.own_header_first
        files = {"src/io/a.hpp": "", "src/io/a.cpp": '#include <vector>\n\n#include "io/a.hpp"\n',
                 "include/umcg/net/b.hpp": "", "src/net/b.cpp": '#include "umcg/net/b.hpp"\n'}
        self.assertEqual(self.broken(rule, files), {"src/io/a.cpp"})

    def test_unused_files(self):
        files = {"src/io/a.hpp": "", "src/io/b.hpp": "", "src/io/b.cpp": '#include "io/b.hpp"\n'}
        self.assertEqual(self.broken(tidy.tree_rules.included_somewhere, files), {"src/io/a.hpp"})
        files = {"src/a.cpp": "", "src/b.cpp": "", "tests/c_test.cpp": "", "src/d_x86_64.S": "",
                 "src/e_x86_64.S": "", "src/meson.build": "files('a.cpp', 'd_' + family)\n",
                 "tests/meson.build": "'c_test',\n"}
        self.assertEqual(self.broken(tidy.tree_rules.built_somewhere, files),
                         {"src/b.cpp", "src/e_x86_64.S"})
        files = {"tests/a.py": "", "tests/b.py": "", "dev": "python3 tests/a.py\n"}
        self.assertEqual(self.broken(tidy.tree_rules.run_somewhere, files), {"tests/b.py"})

    def test_readme_program(self):
        rule = tidy.tree_rules.readme_program
        program = "// SPDX-License-Identifier: MIT\n\n#include <a>\nint main() {}\n"
        readme = "# umcg\n```cpp\n#include <a>\nint main() {}\n```\n"
        files = {"README.md": readme, "apps/hello/main.cpp": program}
        self.assertEqual(self.broken(rule, files), set())
        files["apps/hello/main.cpp"] += "\n"
        self.assertEqual(self.broken(rule, files), {"README.md"})
        self.assertEqual(self.broken(rule, {"README.md": readme}), {"apps/hello/main.cpp"})

    def test_defects(self):
        rule = tidy.tree_rules.defects
        row = "| B{} | something | T7, `some-mutant`, `some_model` |\n"
        page = "".join(row.format(number) for number in range(1, 51))
        files = {"tests/README.md": page, "tests/contract/a_test.cpp": "TEST(a, T07_Holds) {}\n",
                 "tests/mutation/mutants.py": 'mutant("some-mutant")\n',
                 "tests/model/some_model.cpp": "\n"}
        self.assertEqual(self.broken(rule, files), set())
        for name in list(files)[1:]:
            lacking = {path: text for path, text in files.items() if path != name}
            self.assertEqual(self.broken(rule, lacking), {"tests/README.md"})
        files["tests/README.md"] = page.replace("| B9 |", "| B8 |")
        self.assertEqual(self.broken(rule, files), {"tests/README.md"})

    def test_public_headers_compile_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            texts = {"fine.hpp": "inline int one() { return 1; }\n",
                     "lacking.hpp": "inline std::string text();\n",
                     "not_c.h": "bool truth();\n"}
            for name, text in texts.items():
                path = Path(folder, "include/umcg", name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(HEAD + text)
            tree = tidy.read_tree(Path(folder))
            found = {finding.path for finding in tidy.public_headers.compile_alone(tree)}
        self.assertEqual(found, {"include/umcg/lacking.hpp", "include/umcg/not_c.h"})


class Exceptions(unittest.TestCase):
    def test_exception_excuses_only_its_file_and_rule(self):
        files = [SourceFile(path, HEAD + "volatile int a;\n")
                 for path in ("src/base/a.hpp", "src/base/b.hpp")]
        excused = {("volatile", "src/base/a.hpp"): "a reason"}
        self.assertEqual(self.paths(files, excused, "volatile"), {"src/base/b.hpp"})

    def test_exception_without_need_is_found(self):
        found = self.paths([], {("volatile", "src/base/a.hpp"): "a reason"}, "allowed")
        self.assertEqual(found, {"tests/style/allowed.py"})

    def paths(self, files, allowed, rule):
        with tempfile.TemporaryDirectory() as folder:
            findings, _, failed = tidy.check(Tree(files, Path(folder)), allowed)
        self.assertGreater(failed, 0)
        return {finding.path for finding in findings if finding.rule == rule}


if __name__ == "__main__":
    unittest.main()
