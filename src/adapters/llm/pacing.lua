-- The rules of `LocalPacer` over one hash, for all processes. KEYS[1]: the lane.
-- ARGV[1]: what to do; the rest: its arguments. Times are the server's, in seconds.
local key, op = KEYS[1], ARGV[1]
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000

local state = {}
local stored = redis.call('HGETALL', key)
for i = 1, #stored, 2 do state[stored[i]] = tonumber(stored[i + 1]) end
local function get(name) return state[name] or 0 end
local changed = {}
local function set(name, value)
  state[name] = value
  changed[#changed + 1] = name
  changed[#changed + 1] = string.format('%.6f', value)
end
local function finish(...)
  if #changed > 0 then
    redis.call('HSET', key, unpack(changed))
    redis.call('EXPIRE', key, 86400)
  end
  local out = {}
  for _, value in ipairs({...}) do out[#out + 1] = string.format('%.6f', value) end
  return out
end
local function heal()
  for _, name in ipairs({'failures', 'opened', 'open_until', 'probe_until'}) do
    if get(name) ~= 0 then set(name, 0) end
  end
end

if op == 'turn' then -- tokens, patience -> wait, granted, circuit
  local tokens, patience = tonumber(ARGV[2]), tonumber(ARGV[3])
  local probing = false
  if get('open_until') ~= 0 then
    local wait = get('open_until') - now
    if wait <= 0 then wait = math.min($POLL_S, math.max(0, get('probe_until') - now)) end
    if wait > 0 then return finish(wait, 0, 1) end
    probing = true
  end
  local rpm, tpm = get('rpm'), get('tpm')
  local start = math.max(now, get('gate'))
  if rpm > 0 then start = math.max(start, get('requests_at') - $BURST_S) end
  if tpm > 0 then start = math.max(start, get('tokens_at') - $BURST_S) end
  if start - now > patience then return finish(start - now, 0, 0) end
  if rpm > 0 then set('requests_at', math.max(get('requests_at'), start) + 60 / rpm) end
  if tpm > 0 then set('tokens_at', math.max(get('tokens_at'), start) + 60 * tokens / tpm) end
  if probing then set('probe_until', now + $PROBE_S) end
  return finish(start - now, 1, 0)
end

if op == 'shut' then return finish(math.max(0, get('gate') - now)) end

if op == 'answered' then -- unplanned tokens
  heal()
  if get('limited_in_a_row') ~= 0 then set('limited_in_a_row', 0) end
  local unplanned = tonumber(ARGV[2])
  if get('tpm') > 0 and unplanned ~= 0 then
    set('tokens_at', get('tokens_at') + 60 * unplanned / get('tpm'))
  end
  if get('stated') ~= 0 then return finish() end
  if now - get('window_at') > $OBSERVED_S then
    set('window_at', now)
    set('window_passed', 0)
  end
  set('window_passed', get('window_passed') + 1)
  if get('rpm') > 0 and now - math.max(get('cut_at'), get('raised_at')) >= $RAISE_EVERY_S then
    set('raised_at', now)
    set('rpm', get('rpm') + math.max(1, get('rpm') * $RAISE))
  end
  return finish()
end

if op == 'limited' then -- hint (-1: none) -> wait
  heal()
  local wait = tonumber(ARGV[2])
  local blind = {$BLIND_WAIT_S}
  if wait < 0 then wait = blind[math.min(get('limited_in_a_row') + 1, #blind)] end
  if now >= get('gate') then
    set('limited_in_a_row', get('limited_in_a_row') + 1)
    if get('stated') == 0 and now - get('cut_at') >= $CUT_EVERY_S then
      local seen, passed, rpm = now - get('window_at'), get('window_passed'), get('rpm')
      if seen >= 1 and passed > 0 then
        local rate = 60 * passed / seen
        if rpm > 0 then rate = math.min(rate, rpm) end
        set('rpm', math.max(1, rate * $CUT))
      elseif rpm > 0 then
        set('rpm', math.max(1, rpm * $CUT))
      end
      set('cut_at', now)
    end
  end
  set('gate', math.max(get('gate'), now + wait))
  set('requests_at', math.max(get('requests_at'), get('gate')))
  return finish(get('gate') - now)
end

if op == 'failed' then
  set('failures', get('failures') + 1)
  local probe_failed = get('open_until') ~= 0 and now >= get('open_until')
  if get('failures') == $FAILURES_TO_OPEN or probe_failed then
    local open = {$OPEN_S}
    set('open_until', now + open[math.min(get('opened') + 1, #open)])
    set('opened', get('opened') + 1)
    set('probe_until', 0)
  end
  return finish()
end

if op == 'learn' then -- requests and tokens a minute, 0 for unknown
  set('stated', 1)
  set('rpm', tonumber(ARGV[2]) * $SAFETY)
  set('tpm', tonumber(ARGV[3]) * $SAFETY)
  return finish()
end

return redis.error_reply('unknown operation ' .. op)
