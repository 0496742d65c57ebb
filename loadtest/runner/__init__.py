# SPDX-License-Identifier: MIT
"""The load tests of umcg: what `./dev bench` runs. Start reading in suite.py."""
