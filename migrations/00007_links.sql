-- +goose Up

-- How far catch-up (internal/catchup) has read what ERPNext tells of changes, for each kind
-- of reading and DocType.
create table event_poll (
    kind     text not null check (kind in ('document', 'single', 'deleted', 'comment', 'nightly')),
    doctype  text not null,
    -- The time and name of the newest row that was read: the site's naive text, whose order
    -- is that of times. Of 'nightly' it is the day.
    position text not null,
    name     text not null,
    -- Rows up to this time were there before the first reading: no events.
    floor    text not null,
    -- When this position was read first, and when it was read last, by the service's clock.
    since    timestamptz not null,
    read_at  timestamptz not null,
    primary key (kind, doctype)
);

-- Local rows whose link leads to a document that is gone. A row counts only while the
-- column still holds the name; type and field are those of the graph. Texts compare by
-- bytes, so that pages of them can be cut by the service too.
create table link_dangling (
    type    text collate "C" not null,
    row_id  text collate "C" not null,
    field   text collate "C" not null,
    doctype text not null,
    name    text not null,
    since   timestamptz not null default clock_timestamp(),
    primary key (type, row_id, field)
);

create index link_dangling_document on link_dangling (doctype, name);

-- +goose Down
drop table link_dangling;
drop table event_poll;
