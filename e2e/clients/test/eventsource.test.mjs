// EventSource, as browsers have it: GET, and Last-Event-ID when it connects again.
import assert from 'node:assert/strict';
import { EventEmitter, on } from 'node:events';
import { test } from 'node:test';
import { EventSource } from 'eventsource';

import { change, customerChanges, graph, manager, newCustomer, summary } from '../lib/demo.mjs';
import { next, soon } from '../lib/events.mjs';
import { placeNow } from '../lib/place.mjs';

/** An EventSource whose connection can be cut. A browser would send the session's cookie
 * in place of the header. */
function listen(t, variables) {
  const url = `${graph}?${new URLSearchParams({ query: customerChanges, variables: JSON.stringify(variables) })}`;
  const requests = [];
  let cut;
  const source = new EventSource(url, {
    fetch(input, init) {
      requests.push(new Headers(init.headers).get('Last-Event-ID'));
      const lost = new AbortController();
      cut = () => lost.abort(new Error('cut by the test'));
      return fetch(input, {
        ...init,
        headers: { ...init.headers, Authorization: manager },
        signal: AbortSignal.any([init.signal, lost.signal].filter(Boolean)),
      });
    },
  });
  t.after(() => source.close());
  const heard = new EventEmitter();
  source.addEventListener('next', event => heard.emit('next', event));
  source.addEventListener('complete', event => heard.emit('complete', event));
  return { source, requests, cut: () => cut(), heard, events: on(heard, 'next') };
}

test('events have an id, and a lost connection loses nothing and repeats nothing', async t => {
  const [name, after] = [await newCustomer(), await placeNow()];
  const { source, requests, cut, events } = listen(t, { names: [name], after });
  const nextEvent = async () => {
    const [event] = await next(events);
    return { id: event.lastEventId, result: JSON.parse(event.data) };
  };

  await change(name, 'https://1.example');
  const first = await nextEvent();
  assert.deepEqual(summary(first.result), ['UPDATED', 'https://1.example']);
  assert.equal(first.id, first.result.data.customerChanged.cursor);

  const lost = new Promise(resolve => { source.addEventListener('error', resolve, { once: true }); });
  cut();
  await soon(lost, 'the loss of the connection');
  await change(name, 'https://2.example');
  assert.deepEqual(summary((await nextEvent()).result), ['UPDATED', 'https://2.example']);
  assert.deepEqual(requests, [null, first.id]);
  await change(name, 'https://3.example');
  assert.deepEqual(summary((await nextEvent()).result), ['UPDATED', 'https://3.example']);
});

test('what is wrong with the operation is an event, and the end', async t => {
  const { heard, source } = listen(t, { after: 'nonsense' });
  const [[problem]] = await soon(
    Promise.all([
      new Promise(resolve => { heard.once('next', (...event) => resolve(event)); }),
      new Promise(resolve => { heard.once('complete', resolve); }),
    ]),
    'the error and the end',
  );
  source.close();
  assert.equal(JSON.parse(problem.data).errors[0].extensions.code, 'BAD_USER_INPUT');
});
