// SPDX-License-Identifier: MIT
#pragma once

// The dump of all workers, and its parts. All of it runs on the thread of diagnosis, takes no lock
// that a worker can own, and allocates by mmap(2) only.

#include <span>
#include <string_view>

#include "diagnosis/call_stack.hpp"
#include "diagnosis/folded_stacks.hpp"
#include "diagnosis/task_view.hpp"
#include "diagnosis/text_writer.hpp"

namespace umcg::diagnosis {

// Returns 0, or the error number of the first write that failed.
int write_dump(int fd) noexcept;

// A line, and what the dump says of that one worker.
void write_worker(int fd, std::string_view line, const libumcg::task& worker) noexcept;

// `worker 17 "connection"`.
void write_name(text_writer& out, const task_view& who) noexcept;
// `receive on fd 7 for 12.3 s, deadline in 47.7 s`; for one that does not wait, what it does.
void write_occupation(text_writer& out, const task_view& who, all_tasks& tasks) noexcept;
// One line for each frame.
void write_frames(text_writer& out, const call_stack& calls, folded_stacks& stacks) noexcept;

// What the servers of each group have done so far.
void write_counters(text_writer& out, all_tasks& tasks) noexcept;

}  // namespace umcg::diagnosis
