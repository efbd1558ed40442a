-- +goose Up

-- What is kept of documents that local rows link to by @link(snapshot: true). It is shown to
-- whoever may see such a row, and removed when no row links to the document any more.
create table link_snapshot (
    doctype  text collate "C" not null,
    name     text collate "C" not null,
    -- Null where the DocType or the document has none.
    title    text,
    -- Since when the title is known to be so: the database's time, before it was read.
    seen_at  timestamptz not null,
    -- When it was last tried to read it. Events after this call for another try.
    asked_at timestamptz not null,
    primary key (doctype, name)
);

-- +goose Down
drop table link_snapshot;
