// A subscription and a mutation in GraphiQL: what a person sees of both.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';

import { launch } from '../lib/browser.mjs';
import { answerShows, pasteQuery, run, setHeaders, stop } from '../lib/editor.mjs';
import { nextSocket, untilSeen, writer } from '../lib/live.mjs';
import { pageTests } from '../lib/page-test.mjs';
import { openSite } from '../lib/site.mjs';

let site, browser, config, orders;

before(async () => {
  site = await openSite();
  config = await (await fetch(`${site.url}/playground/config.json`)).json();
  orders = writer(site.url + config.endpoint);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await site?.close();
});

const pageTest = pageTests(() => browser, () => site.url);

const manager = JSON.stringify({ Authorization: 'token manager:demo' });

pageTest('events are shown as they arrive, newest first, until the subscription is stopped', async page => {
  const name = await orders.draft();
  await setHeaders(page, manager);
  await pasteQuery(page, `subscription Mine { salesOrderChanged(names: ["${name}"]) { kind cursor name document { poNo } } }`);
  const socket = nextSocket(page);
  await run(page);
  await stop(page).waitFor();

  await untilSeen(answerShows(page, /"events": [1-9].*"kind": "UPDATED".*"poNo": "PO-/), () => orders.change(name));
  const poNo = await orders.change(name);
  await answerShows(page, new RegExp(`"newestFirst": [^}]*"poNo": "${poNo}".*"poNo": "PO-`));

  await stop(page).click();
  await page.getByRole('button', { name: /^Execute query/ }).waitFor();
  await socket.closed;
  assert.deepEqual(socket.sent[0], { type: 'connection_init', payload: { authorization: 'token manager:demo' } });
  assert.deepEqual(socket.sent.map(frame => frame.type).filter(type => type !== 'pong'), ['connection_init', 'subscribe', 'complete']);
  await answerShows(page, /^\{ "events": /); // and not "ended": a person stopped it, not the server
});

pageTest('an example of a subscription is there, and runs', async page => {
  assert.ok(config.examples?.length > 0, 'the page offers examples');
  await page.locator('.graphiql-tab-button').nth(1).click();
  await page.locator('.graphiql-query-editor', { hasText: 'salesOrderChanged' }).waitFor();
  await run(page);
  await stop(page).waitFor();
  const name = await orders.draft();
  await untilSeen(answerShows(page, /"events": [1-9].*"salesOrderChanged".*"kind": "/), () => orders.change(name));
  await stop(page).click();
});

pageTest('a mutation runs, and its answer is shown', async page => {
  const name = await orders.draft();
  await setHeaders(page, manager);
  await pasteQuery(page, `mutation Note { updateSalesOrder(name: "${name}", input: { poNo: "PO-BY-HAND" }) { name salesOrder { poNo } } }`);
  await run(page);
  await answerShows(page, /"updateSalesOrder": \{.*"poNo": "PO-BY-HAND"/);
});

pageTest('a subscription without a credential says so', async page => {
  await setHeaders(page, JSON.stringify({ Authorization: 'token wrong:wrong' }));
  await pasteQuery(page, 'subscription Mine { salesOrderChanged { name } }');
  await run(page);
  await answerShows(page, /"errors": \[ \{ "message": "the socket was closed: Forbidden.*"closeCode": 4403.*"events": 0/);
});
