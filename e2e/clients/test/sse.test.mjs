// The npm client graphql-sse, in both modes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient } from 'graphql-sse';

import { base, change, customerChanges, graph, manager, newCustomer, setWebsite, summary } from '../lib/demo.mjs';
import { next } from '../lib/events.mjs';
import { placeNow } from '../lib/place.mjs';

const modes = {
  'distinct connections': { url: graph },
  'a single connection': { url: `${base}/graphql/stream`, singleConnection: true },
};

for (const [mode, options] of Object.entries(modes)) {
  /** A client that lives as long as the test t. */
  const connect = (t, authorization = manager) => {
    const client = createClient({ ...options, headers: { Authorization: authorization }, retryAttempts: 0 });
    t.after(() => client.dispose());
    return client;
  };
  const once = async (client, payload) => next(client.iterate(payload), 'the result');

  test(`${mode}: a query and a mutation`, async t => {
    const client = connect(t);
    const name = await newCustomer();
    const written = await once(client, { query: setWebsite, variables: { name, website: 'https://a.example' } });
    assert.deepEqual(written, { data: { updateCustomer: { customer: { website: 'https://a.example' } } } });
    const read = await once(client, { query: 'query ($name: String!) { customer(name: $name) { website } }', variables: { name } });
    assert.deepEqual(read, { data: { customer: { website: 'https://a.example' } } });
  });

  test(`${mode}: two subscriptions, each with its own events, until the client has enough`, async t => {
    const client = connect(t);
    const [one, two, after] = [await newCustomer(), await newCustomer(), await placeNow()];
    const ofOne = client.iterate({ query: customerChanges, variables: { names: [one], after } });
    const ofTwo = client.iterate({ query: customerChanges, variables: { names: [two], after } });
    await change(one, 'https://one.example');
    await change(two, 'https://two.example');
    assert.deepEqual(summary(await next(ofOne)), ['UPDATED', 'https://one.example']);
    assert.deepEqual(summary(await next(ofTwo)), ['UPDATED', 'https://two.example']);
    await ofOne.return();
    await change(two, 'https://three.example');
    assert.deepEqual(summary(await next(ofTwo)), ['UPDATED', 'https://three.example']);
    await ofTwo.return();
  });

  test(`${mode}: a stream goes on where another one stopped`, async t => {
    const [name, start] = [await newCustomer(), await placeNow()];
    const from = after => connect(t).iterate({ query: customerChanges, variables: { names: [name], after } });
    const first = from(start);
    await change(name, 'https://1.example');
    const seen = await next(first);
    await first.return();
    await change(name, 'https://2.example'); // nobody listens
    assert.deepEqual(summary(await next(from(seen.data.customerChanged.cursor))), ['UPDATED', 'https://2.example']);
  });

  test(`${mode}: a wrong token is 401`, async t => {
    await assert.rejects(once(connect(t, 'token wrong:wrong'), { query: '{ me { user } }' }), error => {
      assert.equal(error.response.status, 401);
      return true;
    });
  });
}
