-- +goose Up

-- The event log: what changed, upstream and here, by identity only (internal/event). Texts
-- that are compared are in the collation C, where the site's timestamps sort by time.

-- The log's end, in one row. Whoever appends locks it until the commit: so the order of seq
-- is the order of the commits, and a rollback leaves no gap.
create table event_head (
    one        boolean primary key default true check (one),
    -- Another log has another epoch: cursors are good for one. To be changed by hand after
    -- the database was restored to an earlier time: it has forgotten events that were told.
    epoch      uuid not null default gen_random_uuid(),
    seq        bigint not null default 0,
    -- Events up to here are removed.
    trimmed_to bigint not null default 0,
    -- How many events came from where, ever; confirmed are those of catch-up that a webhook
    -- told of later.
    webhook    bigint not null default 0,
    catchup    bigint not null default 0,
    local      bigint not null default 0,
    confirmed  bigint not null default 0,
    check (trimmed_to <= seq)
);

insert into event_head default values;

create table event_log (
    seq       bigint primary key,
    doctype   text collate "C" not null check (doctype <> ''),
    name      text collate "C" not null check (name <> ''),
    kind      text collate "C" not null
              check (kind in ('CREATED', 'UPDATED', 'SUBMITTED', 'CANCELLED', 'DELETED', 'RENAMED')),
    -- The old name of a RENAMED.
    previous  text collate "C" not null default '',
    -- As the site wrote it, with six digits of a second. '' where it is unknown or means nothing.
    modified  text collate "C" not null default '',
    source    text collate "C" not null check (source in ('WEBHOOK', 'CATCHUP', 'LOCAL')),
    -- A webhook told of it too, after catch-up did.
    confirmed boolean not null default false,
    at        timestamptz not null,
    check ((kind = 'RENAMED') = (previous <> ''))
);

-- Is it there already?
create index event_log_version on event_log (doctype, name, modified);
-- What was last?
create index event_log_document on event_log (doctype, name, seq);
-- What became of a name?
create index event_log_previous on event_log (doctype, previous, seq) where previous <> '';

-- Deletions that may be merges, until catch-up knows.
create table event_pending (
    id       bigint generated always as identity primary key,
    doctype  text collate "C" not null,
    name     text collate "C" not null,
    modified text collate "C" not null,
    at       timestamptz not null,
    unique (doctype, name, modified)
);

-- Streams, over reconnections, and the documents each has shown since which place in the
-- log. The key is a hash of who listens to what.
create table event_stream (
    key      bytea primary key check (octet_length(key) = 32),
    -- Where in the log it was last seen.
    last_seq bigint not null
);

create table event_shown (
    key       bytea not null references event_stream (key) on delete cascade,
    doctype   text collate "C" not null,
    name      text collate "C" not null,
    first_seq bigint not null,
    primary key (key, doctype, name)
);

-- event_twin gives the seq of the logged event that tells what an upstream one tells, 0
-- where the log is past it, null where it is new. Local events are not to be asked about.
-- +goose StatementBegin
create function event_twin(p_doctype text, p_name text, p_kind text, p_previous text, p_modified text, p_source text)
returns bigint language plpgsql as $$
begin
    if p_kind = 'RENAMED' then
        return (select seq from event_log
            where doctype = p_doctype and name = p_name and modified = p_modified
                and kind = 'RENAMED' and previous = p_previous
            limit 1);
    elsif p_kind = 'DELETED' then
        -- Catch-up does not know the modified of what is gone, so its deletion stands for
        -- any other one until the name is taken again.
        return coalesce(
            (select d.seq from event_log d
                where d.doctype = p_doctype and d.name = p_name and d.kind = 'DELETED'
                    and (d.modified = p_modified and p_modified <> ''
                        or (d.source = 'CATCHUP' or p_source = 'CATCHUP') and not exists (
                            select from event_log c
                            where c.doctype = p_doctype and c.name = p_name and c.seq > d.seq
                                and (c.kind = 'RENAMED'
                                    or c.kind = 'CREATED' and (p_modified = '' or c.modified <= p_modified))))
                order by (d.source = 'CATCHUP') desc, d.seq desc
                limit 1),
            -- A deletion that comes after the name was taken again is of the document before.
            (select 0 from event_log
                where doctype = p_doctype and name = p_name and kind = 'CREATED'
                    and p_modified <> '' and modified > p_modified
                limit 1));
    else
        -- Catch-up sees the newest state and can't tell how it came about.
        return (select seq from event_log
            where doctype = p_doctype and name = p_name and modified = p_modified
                and kind not in ('DELETED', 'RENAMED')
                and (kind = p_kind or source = 'CATCHUP' or p_source = 'CATCHUP')
            order by (source = 'CATCHUP') desc
            limit 1);
    end if;
end
$$;
-- +goose StatementEnd

-- event_append logs events in order, and gives how many were new. p_stage: it is to wait in
-- event_pending. p_new: the caller has asked event_twin before, under a lock that keeps the
-- answer true; null: ask now.
-- +goose StatementBegin
create function event_append(
    p_doctype text[], p_name text[], p_kind text[], p_previous text[], p_modified text[], p_source text[],
    p_stage boolean[], p_new boolean[]
) returns bigint language plpgsql as $$
declare
    head      event_head;
    before    event_head;
    twin      bigint;
    confirms  bigint := 0;
    waiting   bigint := 0;
    touched   bigint;
    logged_at timestamptz;
begin
    -- First of all the lock: what follows must see all that was committed before.
    select * into strict head from event_head for update;
    before := head;
    logged_at := clock_timestamp();

    if not p_kind && '{DELETED,RENAMED}' and not p_source @> '{WEBHOOK,CATCHUP}' then
        -- As nearly always: no event of these tells whether another is new, unless they are
        -- the same. One statement for all takes a third of the time.
        with given as materialized (
            select t.*, row_number() over (partition by d, e, m,
                case s when 'WEBHOOK' then k end, case s when 'LOCAL' then n end order by n) as copy
            from unnest(p_doctype, p_name, p_kind, p_modified, p_source) with ordinality as t (d, e, k, m, s, n)
        ), judged as materialized (
            select given.*, case when s <> 'LOCAL' then event_twin(d, e, k, '', m, s) end as twin
            from given where copy = 1
        ), logged as (
            insert into event_log (seq, doctype, name, kind, modified, source, at)
            select head.seq + row_number() over (order by n), d, e, k, m, s, logged_at
            from judged where judged.twin is null
            order by n
            returning source
        ), told as (
            update event_log set confirmed = true from judged
            where event_log.seq = judged.twin and s = 'WEBHOOK' and source = 'CATCHUP' and not confirmed
            returning 1
        )
        select head.seq + count(*), head.webhook + count(*) filter (where source = 'WEBHOOK'),
            head.catchup + count(*) filter (where source = 'CATCHUP'),
            head.local + count(*) filter (where source = 'LOCAL'), (select count(*) from told)
        into head.seq, head.webhook, head.catchup, head.local, confirms
        from logged;
    else
        for i in 1 .. cardinality(p_doctype) loop
            twin := null;
            if p_source[i] <> 'LOCAL' and p_new[i] is not true then
                twin := event_twin(p_doctype[i], p_name[i], p_kind[i], p_previous[i], p_modified[i], p_source[i]);
                if p_new[i] is false then
                    twin := coalesce(twin, 0);
                end if;
            end if;
            if twin is not null then
                if twin > 0 and p_source[i] = 'WEBHOOK' then
                    update event_log set confirmed = true where seq = twin and source = 'CATCHUP' and not confirmed;
                    get diagnostics touched = row_count;
                    confirms := confirms + touched;
                end if;
            elsif p_stage[i] then
                insert into event_pending (doctype, name, modified, at)
                values (p_doctype[i], p_name[i], p_modified[i], logged_at)
                on conflict do nothing;
                get diagnostics touched = row_count;
                waiting := waiting + touched;
            else
                head.seq := head.seq + 1;
                insert into event_log (seq, doctype, name, kind, previous, modified, source, at)
                values (head.seq, p_doctype[i], p_name[i], p_kind[i], p_previous[i], p_modified[i], p_source[i], logged_at);
                case p_source[i]
                    when 'WEBHOOK' then head.webhook := head.webhook + 1;
                    when 'CATCHUP' then head.catchup := head.catchup + 1;
                    else head.local := head.local + 1;
                end case;
            end if;
        end loop;
    end if;

    if head.seq > before.seq or confirms > 0 then
        update event_head set seq = head.seq, webhook = head.webhook, catchup = head.catchup,
            local = head.local, confirmed = before.confirmed + confirms;
    end if;
    if head.seq > before.seq then
        perform pg_notify('erpgraph_event', '');
    end if;
    return head.seq - before.seq + waiting;
end
$$;
-- +goose StatementEnd

-- +goose Down
drop function event_append;
drop function event_twin;
drop table event_shown;
drop table event_stream;
drop table event_pending;
drop table event_log;
drop table event_head;
