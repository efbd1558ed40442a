-- +goose Up
create table service_visit (
    id               uuid primary key default gen_random_uuid(),
    contract         uuid not null references service_contract (id) on delete cascade,
    technician       text not null,
    visited_at       timestamptz not null,
    status           text not null default 'PLANNED'
                     check (status in ('PLANNED', 'DONE', 'CANCELLED')),
    summary          text,
    duration_minutes integer check (duration_minutes >= 0),
    report           text,
    -- The Sales Invoice that bills the visit, and how far the drafting of it came: a copy,
    -- for the graph, of what the outbox says.
    invoice          text,
    invoice_state    text check (invoice_state in ('PENDING', 'DONE', 'FAILED')),
    invoice_problem  text,
    updated_at       timestamptz not null default now()
);

create index service_visit_contract on service_visit (contract, id);
create index service_visit_technician on service_visit (technician, id);
create index service_visit_visited_at on service_visit (visited_at, id);
create index service_visit_invoice on service_visit (invoice, id);

create table service_visit_part (
    id    uuid primary key default gen_random_uuid(),
    visit uuid not null references service_visit (id) on delete cascade,
    item  text not null,
    qty   numeric(18, 6) not null check (qty > 0),
    rate  numeric(18, 2) check (rate >= 0)
);

create index service_visit_part_visit on service_visit_part (visit, id);
create index service_visit_part_item on service_visit_part (item, id);

-- +goose Down
drop table service_visit_part;
drop table service_visit;
