-- +goose Up

-- Who is signed in. The key is the SHA-256 of the id in the browser's cookie, so that
-- who reads this table can't use a session; the tokens are sealed with a key that is not
-- in the database (internal/session).
create table auth_session (
    id_hash           bytea primary key check (octet_length(id_hash) = 32),
    user_name         text not null,
    sealed_access     bytea not null,
    sealed_refresh    bytea not null,
    access_expires_at timestamptz not null,
    -- Counts the refreshes. Who wants to make the next one takes the lease first.
    generation        integer not null default 0,
    lease_until       timestamptz,
    -- When the latest refresh was; null before the first. Tokens are not renewed again at once.
    renewed_at        timestamptz,
    created_at        timestamptz not null default now(),
    last_seen_at      timestamptz not null default now(),
    expires_at        timestamptz not null
);

create index auth_session_expires_at on auth_session (expires_at);
create index auth_session_last_seen_at on auth_session (last_seen_at);

-- Sign-ins that came back from ERPNext: none comes back twice.
create table auth_login_used (
    state_hash bytea primary key check (octet_length(state_hash) = 32),
    expires_at timestamptz not null
);

create index auth_login_used_expires_at on auth_login_used (expires_at);

-- Access tokens that nobody uses any more and that ERPNext still accepts, until the
-- janitor has revoked them. They are sealed as they were in their session's row.
create table auth_retired_token (
    id           bigint generated always as identity primary key,
    session_hash bytea not null check (octet_length(session_hash) = 32),
    user_name    text not null,
    sealed       bytea not null,
    not_before   timestamptz not null,
    tries        integer not null default 0,
    created_at   timestamptz not null default now()
);

create index auth_retired_token_not_before on auth_retired_token (not_before);

-- +goose Down
drop table auth_retired_token;
drop table auth_login_used;
drop table auth_session;
