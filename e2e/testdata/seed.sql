insert into service_contract (id, customer, item, manager, status, start_date, end_date, monthly_fee, notes, created_at, updated_at) values
    ('00000000-0000-0000-0000-00000000000a', 'C# Services', 'NUT#8', 'sales@example.com', 'ACTIVE', '2026-01-01', '2026-12-31', 100.10, null, '2026-01-01 08:00:00.123456+00', '2026-01-01 08:00:00+00'),
    ('00000000-0000-0000-0000-00000000000b', 'C# Services', 'BOLT M6/20', null, 'ENDED', '2025-01-01', '2026-11-23', 0.20, 'done', '2025-01-01 08:00:00+00', '2026-01-01 08:00:00+00'),
    ('00000000-0000-0000-0000-00000000000c', 'Semi;Colon', 'NUT#8', 'manager@example.com', 'DRAFT', '2026-06-01', null, 99999999999999.99, '', '2026-06-01 08:00:00+00', '2026-06-01 08:00:00+00'),
    ('00000000-0000-0000-0000-00000000000d', 'Acme Foods LLC', 'NUT#8', null, 'ACTIVE', '2026-06-01', '2027-06-01', 50, 'x%_\y', '2026-06-02 08:00:00+00', '2026-06-02 08:00:00+00');
insert into service_visit (id, contract, technician, visited_at, status, summary, duration_minutes) values
    ('00000000-0000-0000-0000-0000000000a1', '00000000-0000-0000-0000-00000000000a', 'stock@example.com', '2026-02-01 10:00:00+00', 'DONE', 'oiled', 30),
    ('00000000-0000-0000-0000-0000000000a2', '00000000-0000-0000-0000-00000000000a', 'sales@example.com', '2026-03-01 10:00:00+00', 'PLANNED', null, null),
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-00000000000c', 'stock@example.com', '2026-07-01 10:00:00+00', 'CANCELLED', null, null);
insert into service_visit_part (id, visit, item, qty, rate) values
    ('00000000-0000-0000-0000-000000000a11', '00000000-0000-0000-0000-0000000000a1', 'BOLT M6/20', 2.5, 1.10),
    ('00000000-0000-0000-0000-000000000a12', '00000000-0000-0000-0000-0000000000a1', 'Käse 5%', 1, null);
