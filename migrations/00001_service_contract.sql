-- +goose Up

-- Links to ERPNext hold docnames: plain text without a foreign key, because ERPNext
-- owns the documents. The columns of a local type allow NULL exactly where its SDL does.
create table service_contract (
    id          uuid primary key default gen_random_uuid(),
    customer    text not null,
    item        text not null,
    manager     text,
    status      text not null default 'DRAFT'
                check (status in ('DRAFT', 'ACTIVE', 'SUSPENDED', 'ENDED')),
    start_date  date not null,
    end_date    date,
    monthly_fee numeric(18, 2) not null default 0 check (monthly_fee >= 0),
    notes       text,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    check (end_date >= start_date)
);

-- Reverse links (Customer.serviceContracts) list one document's rows in a stable order,
-- so each link's index ends in the id that breaks ties.
create index service_contract_customer on service_contract (customer, id);
create index service_contract_item on service_contract (item, id);
create index service_contract_manager on service_contract (manager, id);
create index service_contract_status on service_contract (status, id);
create index service_contract_start_date on service_contract (start_date, id);
create index service_contract_created_at on service_contract (created_at, id);

-- +goose Down
drop table service_contract;
