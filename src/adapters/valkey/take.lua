-- `domain.access.limits.take` over the buckets KEYS, for all processes: there the rules are explained.
-- ARGV: cost, wanted, LEASE_PART; then interval_us and burst of each limit. Whole numbers throughout:
-- a double holds the microseconds since 1970 exactly. What is stored goes by itself once it is full.
-- Answers: whether it is refused, granted, wait_us; then left and full_us of each limit.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local cost, wanted, part = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local spent, intervals, bursts = {}, {}, {}
local wait, room = -math.huge, math.huge
local function left(i) return bursts[i] + math.floor((now - spent[i]) / intervals[i]) end
for i, key in ipairs(KEYS) do
  local interval, burst = tonumber(ARGV[2 + 2 * i]), tonumber(ARGV[3 + 2 * i])
  intervals[i], bursts[i] = interval, burst
  local stored = tonumber(redis.call('GET', key) or 0)
  spent[i] = math.min(math.max(stored, now), now + burst * interval)
  wait = math.max(wait, spent[i] - now - (burst - math.min(cost, burst)) * interval)
  room = math.min(room, left(i))
end

local refused = cost > 0 and wait > 0
local granted = cost
if cost > 0 then granted = math.max(cost, math.min(wanted, math.floor(room / part))) end

local answer = {refused and 1 or 0, granted, refused and wait or 0}
for i, key in ipairs(KEYS) do
  if not refused then
    spent[i] = math.max(now, spent[i] + math.min(granted, bursts[i]) * intervals[i])
    if spent[i] > now then
      local lives_ms = string.format('%.0f', math.ceil((spent[i] - now) / 1000))
      redis.call('SET', key, string.format('%.0f', spent[i]), 'PX', lives_ms)
    else
      redis.call('DEL', key)
    end
  end
  answer[#answer + 1] = left(i)
  answer[#answer + 1] = spent[i] - now
end
return answer
