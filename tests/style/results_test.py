#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `./dev test` counts: every test case once, and a program that dies as a failure."""

import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / ".ci"))
import results  # noqa: E402

REPORT = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites><testsuite name="a">
<testcase name="one" status="run" classname="a" />
<testcase name="two" status="run" classname="a" />
<testcase name="three" status="run" classname="a"><failure message="no" /></testcase>
<testcase name="four" status="run" classname="a"><skipped message="x.cpp:1&#x0A;needs root" />
</testcase>
<testcase name="DISABLED_five" status="notrun" classname="a" />
</testsuite></testsuites>
"""


class Meson(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def counted(self, *records):
        (self.folder / "meson-logs").mkdir(exist_ok=True)
        log = self.folder / "meson-logs" / "testlog.json"
        log.write_text("".join(json.dumps(record) + "\n" for record in records))
        return results.from_meson(self.folder)

    def record(self, result, output="", returncode=0):
        return {"name": "umcg:unit / unit-a", "result": result, "stdout": output,
                "returncode": returncode}

    def test_counts_cases_of_a_report(self):
        (self.folder / "unit-a.xml").write_text(REPORT)
        found = self.counted(self.record("FAIL", "what it said"))
        self.assertEqual(str(found), "2 passed, 1 failed, 2 skipped")
        self.assertEqual(found.skip_reasons, ["a.four: needs root", "a.DISABLED_five: disabled"])
        self.assertEqual(found.failures, [("unit-a: a.three", "no")])

    def test_program_that_dies_is_a_failure(self):
        for result in ("FAIL", "TIMEOUT", "ERROR", "INTERRUPT"):
            self.assertEqual(str(self.counted(self.record(result))), "0 passed, 1 failed")

    def test_program_that_dies_after_its_report_is_a_failure(self):
        (self.folder / "unit-a.xml").write_text(REPORT.replace("<failure message=\"no\" />", ""))
        self.assertEqual(self.counted(self.record("FAIL")).failed, 1)

    def test_report_that_was_cut_off(self):
        (self.folder / "unit-a.xml").write_text(REPORT[:200])
        found = self.counted(self.record("TIMEOUT", "what it said"))
        self.assertEqual(str(found), "0 passed, 1 failed")
        self.assertEqual(found.failures, [("unit-a (TIMEOUT)", "what it said")])

    def test_old_reports_are_forgotten(self):
        (self.folder / "unit-a.xml").write_text(REPORT)
        results.forget(self.folder)
        self.assertEqual(str(self.counted(self.record("OK"))), "1 passed, 0 failed")

    def test_no_test_at_all_is_a_failure(self):
        self.assertEqual(str(self.counted()), "0 passed, 1 failed")

    def test_skipped_program(self):
        found = self.counted(self.record("SKIP", "needs root\n", 77))
        self.assertEqual(str(found), "0 passed, 0 failed, 1 skipped")
        self.assertEqual(found.skip_reasons, ["unit-a: needs root"])

    def test_python_tests_count_for_themselves(self):
        self.assertEqual(str(self.counted(self.record("OK", "Ran 7 tests in 0.1s\n\nOK\n"))),
                         "7 passed, 0 failed")


class Programs(unittest.TestCase):
    def counted(self, output, returncode=0):
        return str(results.from_program("a", returncode, output))

    def test_last_line(self):
        self.assertEqual(self.counted("x\n3 passed, 0 failed\n"), "3 passed, 0 failed")
        self.assertEqual(self.counted("3 passed, 1 failed, 2 skipped\n", 1),
                         "3 passed, 1 failed, 2 skipped")
        self.assertEqual(self.counted("3 passed, 0 failed\nmore\n"), "0 passed, 1 failed")

    def test_exit_status_wins(self):
        self.assertEqual(self.counted("3 passed, 0 failed\n", 1), "3 passed, 1 failed")

    def test_unittest(self):
        self.assertEqual(self.counted("Ran 1 test in 0.001s\n\nOK\n"), "1 passed, 0 failed")
        self.assertEqual(self.counted("Ran 9 tests in 2.5s\n\nFAILED (failures=1, errors=2, "
                                      "skipped=3)\n", 1), "3 passed, 3 failed, 3 skipped")

    def test_no_count(self):
        self.assertEqual(self.counted("Segmentation fault\n", 139), "0 passed, 1 failed")


if __name__ == "__main__":
    unittest.main()
