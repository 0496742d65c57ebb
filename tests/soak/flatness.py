# SPDX-License-Identifier: MIT
"""Whether what a long run keeps of memory and descriptors is flat."""

import statistics
from dataclasses import dataclass

PARTS = 10
# A run has warmed up when a fifth of it is over.
REFERENCE = 2
MEMORY_GROWTH_MAX = 0.01
# What a server of any size may keep more: a slab of stacks, an arena of malloc's.
MEMORY_SLACK_BYTES = 512 * 1024
DESCRIPTORS_GROWTH_MAX = 0.001
# Of connections that come while others go, and of kernel threads for workers that block.
DESCRIPTORS_SLACK = 50


@dataclass(frozen=True)
class Sample:
    """Of the server process, at one moment."""
    descriptors: int
    memory_bytes: int


def parts(samples):
    """The medians of the tenths of the run."""
    bounds = [len(samples) * part // PARTS for part in range(PARTS + 1)]
    return [Sample(statistics.median(one.descriptors for one in samples[low:high]),
                   statistics.median(one.memory_bytes for one in samples[low:high]))
            for low, high in zip(bounds, bounds[1:])]


def findings(samples):
    """What has grown from the third tenth of the run to its last; nothing: it is flat."""
    if len(samples) < PARTS:
        return [f"only {len(samples)} samples"]
    medians = parts(samples)
    before, after = medians[REFERENCE], medians[-1]
    found = []
    if after.descriptors > before.descriptors * (1 + DESCRIPTORS_GROWTH_MAX) + DESCRIPTORS_SLACK:
        found.append(f"descriptors grow from {before.descriptors:.0f} to {after.descriptors:.0f}")
    if after.memory_bytes > before.memory_bytes * (1 + MEMORY_GROWTH_MAX) + MEMORY_SLACK_BYTES:
        found.append(f"memory grows from {before.memory_bytes / 1024:.0f} KiB "
                     f"to {after.memory_bytes / 1024:.0f} KiB")
    return found
