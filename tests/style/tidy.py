#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the project's style: `tests/style/tidy.py [ROOT]`.

Prints each finding as `file:line: rule: text` and ends with "N passed, N failed", where each file
and each rule about the whole tree counts once.
"""

import os
import sys
from pathlib import Path

import code_rules
import public_headers
import text_rules
import tree_rules
from allowed import ALLOWED
from source import Finding, SourceFile

FILE_RULES = text_rules.RULES + code_rules.RULES
TREE_RULES = tree_rules.RULES + public_headers.RULES

FOLDERS_SKIPPED = {"build", ".git", ".cache", "__pycache__"}
SUFFIXES = {".cpp", ".hpp", ".ipp", ".h", ".c", ".S", ".py", ".sh", ".md", ".build", ".toml",
            ".ini", ".txt", ".clang-format", ".clang-tidy", ".editorconfig", ".gitignore"}
NAMES = {"dev", "run", ".clang-format", ".clang-tidy", ".editorconfig", ".gitignore", "LICENSE"}
FOLDERS_OF_DATA = ("tests/fuzz/corpus/", "loadtest/baseline/")


def read_tree(root):
    files = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in FOLDERS_SKIPPED)
        for name in sorted(names):
            path = Path(folder, name).relative_to(root).as_posix()
            is_ours = name in NAMES or Path(name).suffix in SUFFIXES
            if is_ours and not path.startswith(FOLDERS_OF_DATA):
                files.append(SourceFile(path, Path(folder, name).read_text(errors="replace")))
    return tree_rules.Tree(files, root)


def findings_of_file(file):
    return [finding for rule in FILE_RULES for finding in rule(file)]


def unneeded(allowed, findings):
    """Exceptions that no finding needs."""
    needed = {(finding.rule, finding.path) for finding in findings}
    return [Finding("tests/style/allowed.py", 1, "allowed", f"{rule} in {path} is not needed")
            for rule, path in sorted(allowed.keys() - needed)]


def check(tree, allowed):
    """The findings, and how many units (files, rules about the tree) are fine and are not."""
    units = [findings_of_file(file) for file in tree.files.values()]
    units += [list(rule(tree)) for rule in TREE_RULES]
    units.append(unneeded(allowed, [finding for unit in units for finding in unit]))
    units = [[finding for finding in unit if (finding.rule, finding.path) not in allowed]
             for unit in units]
    failed = sum(1 for unit in units if unit)
    return [finding for unit in units for finding in unit], len(units) - failed, failed


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent.parent).resolve()
    findings, passed, failed = check(read_tree(root), ALLOWED)
    for finding in sorted(findings, key=lambda finding: (finding.path, finding.line)):
        print(finding)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
