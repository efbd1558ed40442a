// The npm client graphql-ws, over graphql-transport-ws.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

import { change, customerChanges, manager, newCustomer, sales, setWebsite, socket, summary } from '../lib/demo.mjs';
import { next, soon } from '../lib/events.mjs';
import { placeNow } from '../lib/place.mjs';

/** A client that lives as long as the test t. */
function connect(t, authorization = manager, options = {}) {
  const client = createClient({
    url: socket, webSocketImpl: WebSocket, connectionParams: { authorization }, retryAttempts: 0, ...options,
  });
  t.after(() => client.dispose());
  return client;
}

/** The one result of a query or mutation. */
const once = async (client, payload) => next(client.iterate(payload), 'the result');

test('a query and a mutation', async t => {
  const client = connect(t);
  const name = await newCustomer();
  const written = await once(client, { query: setWebsite, variables: { name, website: 'https://a.example' } });
  assert.deepEqual(written, { data: { updateCustomer: { customer: { website: 'https://a.example' } } } });
  const read = await once(client, { query: 'query ($name: String!) { customer(name: $name) { website } }', variables: { name } });
  assert.deepEqual(read, { data: { customer: { website: 'https://a.example' } } });
});

test('two events, then the client has enough', async t => {
  const [name, other, after] = [await newCustomer(), await newCustomer(), await placeNow()];
  const client = connect(t, manager, { lazyCloseTimeout: 3_000 });
  const events = client.iterate({ query: customerChanges, variables: { names: [name], after } });
  await change(other, 'https://not-asked-for.example');
  await change(name, 'https://1.example');
  assert.deepEqual(summary(await next(events)), ['UPDATED', 'https://1.example']);
  await change(name, 'https://2.example');
  assert.deepEqual(summary(await next(events)), ['UPDATED', 'https://2.example']);
  await events.return();
  // The socket is there for the next one.
  assert.deepEqual(await once(client, { query: '{ me { user } }' }), { data: { me: { user: 'manager@example.com' } } });
});

test('a wrong token closes the socket with 4403', async t => {
  const client = connect(t, 'token wrong:wrong');
  await assert.rejects(once(client, { query: '{ me { user } }' }), error => {
    assert.equal(error.code, 4403);
    assert.match(error.reason, /^Forbidden/);
    return true;
  });
});

test('a subscription of nobody ends with UNAUTHENTICATED', async t => {
  const client = connect(t, undefined, { connectionParams: {} });
  await assert.rejects(once(client, { query: 'subscription { customerChanged { name } }' }), errors => {
    assert.equal(errors[0].extensions.code, 'UNAUTHENTICATED');
    return true;
  });
});

test('a stream goes on where another one stopped, and shows nothing twice', async t => {
  const [name, start] = [await newCustomer(), await placeNow()];
  const from = after => connect(t).iterate({ query: customerChanges, variables: { names: [name], after } });
  const first = from(start);
  await change(name, 'https://1.example');
  const seen = await next(first);
  assert.deepEqual(summary(seen), ['UPDATED', 'https://1.example']);
  await first.return();

  await change(name, 'https://2.example'); // nobody listens
  const again = from(seen.data.customerChanged.cursor);
  assert.deepEqual(summary(await next(again)), ['UPDATED', 'https://2.example']);
  await change(name, 'https://3.example');
  assert.deepEqual(summary(await next(again)), ['UPDATED', 'https://3.example']);
});

test('a client that connects again by itself goes on at the newest cursor', async t => {
  const [name, after] = [await newCustomer(), await placeNow()];
  const variables = { names: [name], after };
  let opened;
  const client = connect(t, manager, {
    retryAttempts: 5,
    retryWait: () => change(name, 'https://meanwhile.example'),
    on: { opened: connection => { opened = connection; } },
  });
  const events = client.iterate({ query: customerChanges, variables });
  for (const website of ['https://1.example', 'https://2.example']) {
    await change(name, website);
    const event = await next(events);
    assert.deepEqual(summary(event), ['UPDATED', website]);
    variables.after = event.data.customerChanged.cursor;
  }
  opened.terminate();
  assert.deepEqual(summary(await next(events)), ['UPDATED', 'https://meanwhile.example']);
});

test('a cursor that is none is refused', async t => {
  const events = connect(t).iterate({ query: customerChanges, variables: { after: 'nonsense' } });
  await assert.rejects(next(events), errors => {
    assert.equal(errors[0].extensions.code, 'BAD_USER_INPUT');
    return true;
  });
});

test('a token is handed over on the open socket', async t => {
  for (const [authorization, outcome] of [[manager, 'pong'], [sales, 4403]]) {
    const client = connect(t, manager, { lazyCloseTimeout: 3_000 });
    const answered = new Promise(resolve => {
      client.on('opened', opened => {
        client.on('connected', () => opened.send(JSON.stringify({ type: 'ping', payload: { authorization } })));
      });
      client.on('pong', received => received && resolve('pong'));
      client.on('closed', event => resolve(event.code));
    });
    once(client, { query: '{ me { user } }' }).catch(() => {}); // opens the socket, which may be closed on it
    assert.equal(await soon(answered, 'the answer to the token'), outcome);
  }
});
