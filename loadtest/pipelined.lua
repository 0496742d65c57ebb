-- SPDX-License-Identifier: MIT
-- wrk sends `depth` requests in one write and counts every answer; the batch is made once.
-- Usage: wrk --script pipelined.lua URL -- DEPTH

local batch

function init(arguments)
  local depth = tonumber(arguments[1])
  local requests = {}
  for i = 1, depth do
    requests[i] = wrk.format("GET")
  end
  batch = table.concat(requests)
end

function request()
  return batch
end
