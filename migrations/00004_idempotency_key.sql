-- +goose Up

-- One row for each write that came with an idempotency key, by caller: a retry finds what
-- came of the first try (internal/postgres, ClaimKey). Times are the database's.
create table idempotency_key (
    caller      text not null check (octet_length(caller) between 1 and 255),
    key         text not null check (octet_length(key) between 1 and 255),
    -- Stands for the request, so that a key is not used for two.
    hash        bytea not null check (octet_length(hash) between 1 and 64),
    state       text not null check (state in ('running', 'done', 'failed', 'unknown')),
    -- json and not jsonb: what is stored comes back byte for byte, and an upstream text
    -- may hold \u0000, which jsonb refuses.
    outcome     json,
    attempt     json,
    -- Who holds the token is at it, until the lease is over. Both are null once nobody is.
    token       uuid,
    lease_until timestamptz,
    created_at  timestamptz not null,
    expires_at  timestamptz not null,
    primary key (caller, key),
    check ((token is null) = (lease_until is null)),
    check (state <> 'running' or token is not null)
);

create index idempotency_key_expires_at on idempotency_key (expires_at);

-- +goose Down
drop table idempotency_key;
