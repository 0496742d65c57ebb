# SPDX-License-Identifier: MIT
"""The places where a rule does not hold, each with its reason.

An entry that nothing needs any more is a finding.
"""

# (rule, path): reason
ALLOWED = {
    ("sleep", "include/umcg/worker.hpp"): "declares umcg::sleep_for",
    ("sleep", "apps/hello/main.cpp"): "the README's program waits as a real handler would",
    ("sleep", "src/http/service_run.cpp"): "nothing to wait for: retries accept when it cannot",
}
