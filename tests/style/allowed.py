# SPDX-License-Identifier: MIT
"""The places where a rule does not hold, each with its reason.

An entry that nothing needs any more is a finding.
"""

# (rule, path): reason
ALLOWED = {
    ("thread", "src/sched/server_group.hpp"): "the servers are threads",
    ("thread", "src/sched/worker_pool.cpp"): "joins the servers",
    ("parameters", "src/tls/openssl_objects.hpp"): "callbacks, as OpenSSL calls them",
    ("parameters", "src/tls/server_context.cpp"): "callbacks, as OpenSSL calls them",
    ("sleep", "include/umcg/worker.hpp"): "declares umcg::sleep_for",
    ("sleep", "apps/hello/main.cpp"): "the README's program waits as a real handler would",
    ("sleep", "src/http/service_run.cpp"): "nothing to wait for: retries accept when it cannot",
    ("sleep", "tests/contract/real_world.cpp"): "gives other threads time to fall asleep",
}
