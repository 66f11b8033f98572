-- Sends the requests of a file (whole HTTP requests, separated by NUL), drawn at random or in their order from a given one
-- on, and prints the figures as JSON. Arguments: file, "random", seed; or file, "from", position.
local requests = {}
local position

function init(args)
  local file = assert(io.open(args[1], "rb"))
  for request in file:read("*a"):gmatch("[^%z]+") do
    requests[#requests + 1] = request
  end
  file:close()
  if args[2] == "from" then
    position = tonumber(args[3])
  else
    math.randomseed(tonumber(args[3]))
  end
end

function request()
  if position == nil then
    return requests[math.random(#requests)]
  end
  position = position + 1
  return requests[(position - 1) % #requests + 1]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"microseconds":%d,"p50":%f,"p99":%f,"failed":%d,"refused":%d}\n',
    summary.requests,
    summary.duration,
    latency:percentile(50) / 1000,
    latency:percentile(99) / 1000,
    errors.connect + errors.read + errors.write + errors.timeout,
    errors.status
  ))
end
