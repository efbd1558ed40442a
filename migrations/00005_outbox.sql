-- +goose Up

-- What is still to be written upstream because of a local write: the entry is added in the
-- local write's own transaction (internal/postgres, Tx.AddOutbox), so neither is without
-- the other. It is done with a caller's credential, never with one that is stored.
--
-- The subject is the local row that asked for it. There is no foreign key: when the row is
-- deleted its entries stay, as the record of what was written upstream, by whom.
create table outbox (
    id           uuid primary key default gen_random_uuid(),
    subject_type text not null check (subject_type <> ''),
    subject_id   text not null check (subject_id <> ''),
    -- Which of the subject's entries: "invoice".
    slot         text not null check (slot <> ''),
    doctype      text not null check (doctype <> ''),
    -- json and not jsonb: the values go upstream as they were given.
    input        json not null,
    state        text not null default 'pending' check (state in ('pending', 'done', 'failed')),
    reason       text,
    docname      text,
    -- Its creation, as the site wrote it: a name is used again where a document was deleted.
    doc_creation text,
    -- What was known before the upstream call, to find out later whether it was made.
    attempt      json,
    attempted_by text,
    token        uuid,
    lease_until  timestamptz,
    tries        integer not null default 0,
    created_by   text not null,
    created_at   timestamptz not null default clock_timestamp(),
    updated_at   timestamptz not null default clock_timestamp(),
    constraint outbox_subject unique (subject_type, subject_id, slot),
    check ((token is null) = (lease_until is null))
);

create index outbox_state on outbox (state, created_at);

-- +goose Down
drop table outbox;
