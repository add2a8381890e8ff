-- Calls that providers allow, counted over all processes in sliding windows. A limit up to 200 is exact: the times
-- of its last calls are kept. A larger one is estimated from two fixed windows, in which calls of the one before
-- weigh as much as of it still lies inside. Processes lease calls in chunks (outbound/call-budget).
-- Not a tenant's table: keys are made of record ids, and it holds nothing but counters.
create unlogged table call_budget (
  budget_key text not null,
  window_ms bigint not null,
  window_start_ms bigint not null,
  used integer not null,
  used_before integer not null,
  recent bigint[] not null default '{}',
  paused_until timestamptz,
  primary key (budget_key, window_ms)
);

create function inlay_lease_calls(p_key text, p_window_ms bigint, p_limit integer, p_wanted integer)
  returns table (granted integer, retry_in_ms integer)
  language plpgsql
as $$
declare
  r call_budget;
  now_ms bigint;
  start_ms bigint;
  grant_calls integer;
begin
  insert into call_budget (budget_key, window_ms, window_start_ms, used, used_before)
    values (p_key, p_window_ms, 0, 0, 0) on conflict do nothing;
  select * into r from call_budget where budget_key = p_key and window_ms = p_window_ms for update;
  -- Read after the lock: time passed while we waited for it.
  now_ms := floor(extract(epoch from clock_timestamp()) * 1000);
  if r.paused_until > clock_timestamp() then
    return query select 0, ceil(extract(epoch from r.paused_until - clock_timestamp()) * 1000)::integer;
    return;
  end if;
  if p_limit <= 200 then
    r.recent := array(select t from unnest(r.recent) t where t > now_ms - p_window_ms order by t);
    grant_calls := greatest(0, least(p_wanted, p_limit - cardinality(r.recent)));
    update call_budget set recent = r.recent || array_fill(now_ms, array[grant_calls])
      where budget_key = p_key and window_ms = p_window_ms;
    return query select grant_calls, case when grant_calls > 0 then 0
      else (r.recent[cardinality(r.recent) - p_limit + 1] + p_window_ms - now_ms)::integer end;
    return;
  end if;
  start_ms := now_ms - now_ms % p_window_ms;
  if r.window_start_ms < start_ms - p_window_ms then
    r.used := 0;
    r.used_before := 0;
  elsif r.window_start_ms < start_ms then
    r.used_before := r.used;
    r.used := 0;
  end if;
  grant_calls := greatest(0, least(p_wanted,
    floor(p_limit - r.used - r.used_before * (1 - (now_ms - start_ms)::double precision / p_window_ms))::integer));
  r.used := r.used + grant_calls;
  update call_budget set window_start_ms = start_ms, used = r.used, used_before = r.used_before
    where budget_key = p_key and window_ms = p_window_ms;
  if grant_calls > 0 then
    return query select grant_calls, 0;
  elsif r.used <= p_limit - 1 and r.used_before > 0 then
    return query select 0, greatest(1, ceil(p_window_ms * (1 - (p_limit - r.used - 1)::double precision / r.used_before)
      - (now_ms - start_ms)))::integer;
  else
    return query select 0, ceil(p_window_ms - (now_ms - start_ms)
      + p_window_ms * greatest(0, 1 - (p_limit - 1)::double precision / greatest(r.used, 1)))::integer;
  end if;
end $$;
