import { type Kysely, sql } from 'kysely'

/** Younger than this no event can be deleted, whoever asks. */
export const MIN_RETENTION_DAYS = 30
/** Unknown accounts that get a row of their own, per client and minute; the others share one. */
const UNKNOWN_PER_MINUTE = 20

/**
 * The table `audit_events`, its guard and the two functions that may do more than INSERT and SELECT. They run as the
 * role that migrates, with a pinned `search_path` and qualified names, so that nobody can slip objects under them.
 */
export async function up<DB>(db: Kysely<DB>): Promise<void> {
  const { rows } = await sql<{ schema: string }>`select current_schema() as schema`.execute(db)
  const schema = rows[0]?.schema ?? 'public'
  const events = sql.table(`${schema}.audit_events`)

  await sql`
    create table audit_events (
      id bigint generated always as identity primary key,
      public_id uuid not null unique default gen_random_uuid(),
      action text not null check (char_length(action) <= 64),
      actor_id uuid,
      target_type text check (char_length(target_type) <= 64),
      target_id text check (char_length(target_id) <= 128),
      ip text check (char_length(ip) <= 64),
      user_agent text check (char_length(user_agent) <= 512),
      request_id text check (char_length(request_id) <= 64),
      details jsonb check (octet_length(details::text) <= 8192),
      count integer not null default 1,
      created_at timestamptz not null default clock_timestamp()
    )`.execute(db)
  await sql`create index audit_events_actor on audit_events (actor_id, id desc)`.execute(db)
  await sql`create index audit_events_target on audit_events (target_type, target_id, id desc)`.execute(db)
  await sql`create index audit_events_action on audit_events (action, id desc)`.execute(db)
  await sql`create index audit_events_created_at on audit_events (created_at)`.execute(db)
  // One row per client, account and minute.
  await sql`
    create unique index audit_events_failure on audit_events
      (ip, date_trunc('minute', created_at at time zone 'UTC'), action, target_type, target_id)
      where action like '%.failed'`.execute(db)

  await sql`
    create function guard_audit_events() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
    begin
      if tg_op = 'UPDATE' then
        -- Two minutes, because the statement may have waited for the row since its minute ended.
        if old.action like '%.failed' and old.created_at > clock_timestamp() - interval '2 minutes'
          and new.count = old.count + 1 and to_jsonb(new) - 'count' = to_jsonb(old) - 'count'
        then return new; end if;
      elsif tg_op = 'DELETE' then
        if current_setting('audit.pruning', true) = 'on'
          and old.created_at < clock_timestamp() - make_interval(days => ${sql.lit(MIN_RETENTION_DAYS)})
        then return old; end if;
      end if;
      raise exception 'audit_events is append-only' using errcode = 'insufficient_privilege';
    end $$`.execute(db)
  await sql`
    create trigger audit_events_guard before update or delete on audit_events
    for each row execute function guard_audit_events()`.execute(db)
  await sql`
    create trigger audit_events_guard_truncate before truncate on audit_events
    for each statement execute function guard_audit_events()`.execute(db)

  await sql`
    create function record_audit_failure(
      p_action text, p_target_type text, p_target_id text, p_is_known boolean,
      p_ip text, p_user_agent text, p_request_id text
    ) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    begin
      if p_action not like '%.failed' then raise exception 'a failure is named <noun>.failed'; end if;
      if not p_is_known and (
        select count(*) from (
          select 1 from ${events} where ip = p_ip and action = p_action and action like '%.failed'
            and date_trunc('minute', created_at at time zone 'UTC') = date_trunc('minute', now() at time zone 'UTC')
            and target_type = p_target_type and target_id not in (p_target_id, 'others')
          limit ${sql.lit(UNKNOWN_PER_MINUTE)}
        ) as seen
      ) >= ${sql.lit(UNKNOWN_PER_MINUTE)} then p_target_id := 'others'; end if;
      insert into ${events} as event
        (action, target_type, target_id, ip, user_agent, request_id, created_at)
      values (p_action, p_target_type, p_target_id, p_ip, p_user_agent, p_request_id, now())
      on conflict (ip, date_trunc('minute', created_at at time zone 'UTC'), action, target_type, target_id)
        where action like '%.failed'
      do update set count = event.count + 1;
    end $$`.execute(db)

  await sql`
    create function prune_audit_events(p_keep_days integer, p_limit integer) returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
    declare deleted integer;
    begin
      if p_keep_days is null or p_keep_days < ${sql.lit(MIN_RETENTION_DAYS)} then
        raise exception 'audit events are kept for ${sql.raw(`${MIN_RETENTION_DAYS}`)} days at least'
          using errcode = 'invalid_parameter_value';
      end if;
      perform set_config('audit.pruning', 'on', true);
      delete from ${events} where id in (
        select id from ${events} where created_at < now() - make_interval(days => p_keep_days)
        order by created_at limit p_limit for update skip locked
      );
      get diagnostics deleted = row_count;
      perform set_config('audit.pruning', 'off', true);
      return deleted;
    end $$`.execute(db)
  await sql`revoke all on function record_audit_failure, prune_audit_events from public`.execute(db)
}

export async function down<DB>(db: Kysely<DB>): Promise<void> {
  await sql`drop function prune_audit_events, record_audit_failure`.execute(db)
  await sql`drop table audit_events`.execute(db)
  await sql`drop function guard_audit_events`.execute(db)
}

/** Lets `role` read and add events, and nothing else: to be run by the owner of the table. */
export async function grant<DB>(db: Kysely<DB>, role: string): Promise<void> {
  const name = sql.id(role)
  await sql`revoke all on audit_events from ${name}`.execute(db)
  await sql`
    grant select, insert (action, actor_id, target_type, target_id, ip, user_agent, request_id, details)
    on audit_events to ${name}`.execute(db)
  await sql`grant execute on function record_audit_failure, prune_audit_events to ${name}`.execute(db)
}
