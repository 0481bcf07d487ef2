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

local function probe_left() return math.min($POLL_S, math.max(0, get('probe_until') - now)) end

if op == 'acquire' then -- tokens, max_wait, probes -> wait, granted, obstacle (0 rate, 1 circuit, 2 quota)
  local tokens, max_wait, probes = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1'
  local probing = false
  if get('quota_until') ~= 0 and not probes then
    local wait = math.max(get('quota_until') - now, probe_left())
    if wait > 0 then return finish(wait, 0, 2) end
    probing = true
  end
  if get('open_until') ~= 0 then
    local wait = get('open_until') - now
    if wait <= 0 then wait = probes and probe_left() or $GLANCE_S end
    if wait > 0 then return finish(wait, 0, 1) end
    probing = true
  end
  local rpm, tpm = get('rpm'), get('tpm')
  local start = math.max(now, get('gate'))
  if get('on_trial') ~= 0 then
    local left = math.min($GLANCE_S, probe_left())
    if left > 0 then return finish(math.max(start - now, left), 0, 0) end
    probing = true
  end
  if rpm > 0 then start = math.max(start, get('requests_at') - $BURST_S) end
  if tpm > 0 then start = math.max(start, get('tokens_at') - $BURST_S) end
  if start - now > max_wait then return finish(start - now, 0, 0) end
  if rpm > 0 then set('requests_at', math.max(get('requests_at'), start) + 60 / rpm) end
  if tpm > 0 then set('tokens_at', math.max(get('tokens_at'), start) + 60 * tokens / tpm) end
  if probing then
    set('probe_until', start + $PROBE_S)
    set('probes', get('probes') + 1)
  end
  return finish(start - now, 1, 0)
end

if op == 'closed' then return finish(math.max(0, get('gate') - now)) end

if op == 'answered' then -- unplanned tokens
  heal()
  for _, name in ipairs({'limited_in_a_row', 'on_trial', 'quota_until'}) do
    if get(name) ~= 0 then set(name, 0) end
  end
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
  local counts = now >= get('gate') and (get('on_trial') == 0 or get('probe_until') > now)
  heal()
  if counts then
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
  local wait = tonumber(ARGV[2])
  local blind = {$BLIND_WAIT_S}
  set('on_trial', wait < 0 and (counts or get('on_trial') ~= 0) and 1 or 0)
  if wait < 0 then wait = blind[math.min(math.max(get('limited_in_a_row'), 1), #blind)] end
  set('gate', math.max(get('gate'), now + wait))
  set('requests_at', math.max(get('requests_at'), get('gate')))
  return finish(get('gate') - now)
end

if op == 'exhausted' then -- wait
  heal()
  set('quota_until', now + tonumber(ARGV[2]))
  return finish(tonumber(ARGV[2]))
end

if op == 'failed' then
  set('failures', get('failures') + 1)
  local probe_failed = get('open_until') ~= 0 and now >= get('open_until')
  if get('failures') == $FAILURES_TO_OPEN or probe_failed then
    local open = {$OPEN_S}
    set('open_until', now + open[math.min(get('opened') + 1, #open)])
    set('opened', get('opened') + 1)
    set('probe_until', 0)
  elseif get('open_until') == 0 then
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

if op == 'state' then -- as `GateState`
  local open = get('open_until') ~= 0
  return finish(
    math.max(0, get('gate') - now),
    get('on_trial') == 0 and 1 or 0,
    get('limited_in_a_row'),
    open and 1 or 0,
    open and math.max(get('open_until') - now, probe_left()) or 0,
    get('failures'),
    math.max(0, get('quota_until') - now),
    get('probes')
  )
end

if op == 'reopen' then
  redis.call('DEL', key)
  set('probes', get('probes'))
  if get('stated') ~= 0 then
    for _, name in ipairs({'stated', 'rpm', 'tpm'}) do set(name, get(name)) end
  end
  return finish()
end

return redis.error_reply('unknown operation ' .. op)
