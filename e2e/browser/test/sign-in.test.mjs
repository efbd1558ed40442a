// Signing in with ERPNext, through its login and consent pages, against the demo:
// `.ci/with-demo npm test --prefix e2e/browser`. The mock of the page's own tests has no
// ERPNext to sign in at.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launch, openPage, screenshot } from '../lib/browser.mjs';
import { answerShows, headerText, pasteQuery, run, stop } from '../lib/editor.mjs';
import { nextSocket, untilSeen, writer } from '../lib/live.mjs';

const url = process.env.BASE_URL?.replace(/\/+$/, '');
const skip = url ? false : 'BASE_URL is not set: it needs the demo';

let browser;
before(async () => {
  browser = skip ? undefined : await launch();
});
after(() => browser?.close());

/** Runs body with a fresh browser profile. Going to ERPNext's pages and being signed
 * out there are what these tests are about; any other trouble fails them. */
function visit(name, body, timeout = 60_000) {
  test(name, { skip, timeout }, async () => {
    const opened = await openPage(browser, url);
    const referers = [];
    opened.page.on('request', request => {
      const { referer } = request.headers();
      // ERPNext's pages may tell ERPNext.
      const told = referer && (referer.startsWith(url) || new URL(referer).host !== new URL(request.url()).host);
      if (told && /[?&](code|state)=/.test(referer)) {
        referers.push(referer);
      }
    });
    try {
      await body(opened.page);
      assert.deepEqual(referers, [], 'no request tells where it came from while a code is in the address');
      const expected = /^foreign request: |HTTP 401: .*\/(graphql|login)$|status of 401|HTTP 403: .*\/auth\/callback|status of 403/;
      assert.deepEqual(opened.troubles.filter(trouble => !expected.test(trouble)), []);
    } catch (error) {
      await screenshot(opened.page, `failed-${name.replace(/\W+/g, '-')}`);
      throw error;
    } finally {
      await opened.close();
    }
  });
}

/** From the page to ERPNext's question whether to allow it. */
async function logIn(page, user) {
  await page.getByTestId('sign-in').click();
  await page.waitForURL(/\/login\?/);
  await page.fill('[name=usr]', user);
  await page.fill('[name=pwd]', 'demo');
  await page.click('#login');
  await page.waitForSelector('#allow');
}

async function signIn(page, user) {
  await logIn(page, user);
  await page.click('#allow');
  await page.waitForURL(`${url}/`);
  await page.getByTestId('who').filter({ hasText: user }).waitFor();
}

/** What the graph answers to this page's session. */
function query(page, text) {
  return page.evaluate(async query => {
    const response = await fetch('/graphql', {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ query }),
    });
    return response.json();
  }, text);
}

const everything = `{
  me { user }
  customers(first: 500) { totalCount nodes { name } }
  serviceContracts(first: 500) { totalCount nodes { customer { name customerName } } }
}`;

visit('who signs in as north sees what north may see', async page => {
  await signIn(page, 'sales-north@example.com');
  await screenshot(page, 'signed-in');
  const { data, errors } = await query(page, everything);
  assert.equal(errors, undefined);
  assert.equal(data.me.user, 'sales-north@example.com');

  const byKey = authorization => fetch(`${url}/graphql`, {
    method: 'POST', headers: { 'Content-Type': 'application/json', Authorization: authorization }, body: JSON.stringify({ query: everything }),
  }).then(response => response.json());
  const north = await byKey('token north:demo');
  assert.deepEqual(data.customers, north.data.customers);
  const all = (await byKey('token admin:demo')).data;
  assert.ok(data.customers.totalCount > 0 && data.customers.totalCount < all.customers.totalCount, 'north is restricted');

  const mine = new Set(data.customers.nodes.map(customer => customer.name));
  const visible = all.serviceContracts.nodes.filter(contract => mine.has(contract.customer.name));
  assert.ok(visible.length > 0 && visible.length < all.serviceContracts.totalCount, 'there are contracts of both kinds');
  assert.equal(data.serviceContracts.totalCount, visible.length);
  assert.deepEqual(data.serviceContracts.nodes, visible);

  // The page's own editor asks as north too.
  const [answer] = await Promise.all([
    page.waitForResponse(r => r.url().endsWith('/graphql') && r.request().postData()?.includes('salesOrders(')),
    page.locator('.graphiql-execute-button').click(),
  ]);
  assert.equal(answer.request().headers().authorization, undefined);
  const orders = (await answer.json()).data.salesOrders.nodes;
  assert.ok(orders.length > 0 && orders.every(order => order.customer), 'orders with customers that north may see');

  await page.getByTestId('sign-out').click();
  await page.getByTestId('sign-in').waitFor();
  assert.equal((await query(page, '{ me { user } }')).errors[0].extensions.code, 'UNAUTHENTICATED');
});

visit('who denies is not signed in', async page => {
  await logIn(page, 'sales@example.com');
  await screenshot(page, 'allow');
  await page.click('#deny');
  await page.waitForURL(/\/auth\/callback\?error=access_denied/);
  await screenshot(page, 'denied');
  await page.goto(`${url}/`);
  await page.getByTestId('sign-in').waitFor();
  assert.deepEqual(await page.context().cookies(url).then(all => all.filter(cookie => cookie.name === 'erpgraph')), []);
});

visit('a wrong password is ERPNext\'s affair', async page => {
  await page.getByTestId('sign-in').click();
  await page.waitForURL(/\/login\?/);
  const [response] = await Promise.all([
    page.waitForResponse(r => r.request().method() === 'POST'),
    page.fill('[name=usr]', 'sales@example.com').then(() => page.fill('[name=pwd]', 'wrong')).then(() => page.click('#login')),
  ]);
  assert.equal(response.status(), 401);
  await page.goto(`${url}/`);
  await page.getByTestId('sign-in').waitFor();
});

visit('a subscription of the session has the cookie alone', async page => {
  await signIn(page, 'sales@example.com');
  assert.ok(!(await headerText(page)).includes('token'), 'the preset header has given way');
  const orders = writer(`${url}/graphql`);
  const name = await orders.draft();
  await pasteQuery(page, `subscription Mine { salesOrderChanged(names: ["${name}"]) { kind name document { poNo } } }`);
  const socket = nextSocket(page);
  await run(page);
  await stop(page).waitFor();
  await untilSeen(answerShows(page, /"events": [1-9].*"kind": "UPDATED".*"poNo": "PO-/), () => orders.change(name));
  assert.deepEqual(socket.sent[0], { type: 'connection_init' });
  await stop(page).click();
  await socket.closed;
});

visit('a revocation at ERPNext signs the page out and closes its socket within a minute', async page => {
  await signIn(page, 'sales@example.com');
  // A socket of the page, opened with its cookie.
  await page.evaluate(() => new Promise((resolve, reject) => {
    const socket = new WebSocket(location.origin.replace('http', 'ws') + '/graphql', 'graphql-transport-ws');
    globalThis.socketClosed = new Promise(done => { socket.onclose = event => done([event.code, event.reason]); });
    socket.onopen = () => socket.send(JSON.stringify({ type: 'connection_init' }));
    socket.onmessage = event => JSON.parse(event.data).type === 'connection_ack' && resolve();
    socket.onerror = () => reject(new Error('the socket failed before it was acknowledged'));
    globalThis.socketClosed.then(why => reject(new Error(`closed before it was acknowledged: ${why}`)));
  }));
  // ERPNext's page is used by its form, with the browser's cookies, and not in a second
  // tab: the first one would be in the background, where Chromium may stop its drawing.
  const erpnext = page.context().request;
  const { authorize } = await fetch(`${url}/auth/login?return_to=/`, { redirect: 'manual' })
    .then(response => ({ authorize: new URL(response.headers.get('location')) }));
  const apps = `${authorize.origin}/third_party_apps`;
  const [, client] = /name="client_id" value="([^"]+)"/.exec(await (await erpnext.get(apps)).text());
  const started = Date.now();
  const revoked = await erpnext.post(apps, { form: { client_id: client } });
  assert.ok(revoked.ok() && !(await revoked.text()).includes('name="client_id"'), 'ERPNext lists no app any more');

  await page.getByTestId('session-status').filter({ hasText: 'Signed out' }).waitFor({ timeout: 60_000 });
  await page.getByTestId('sign-in').waitFor();
  await screenshot(page, 'revoked');
  const [code] = await Promise.race([
    page.evaluate(() => globalThis.socketClosed),
    new Promise((_, reject) => { setTimeout(reject, 60_000 - (Date.now() - started), new Error('the socket is open after a minute')).unref(); }),
  ]);
  assert.equal(code, 4401);
  assert.ok(Date.now() - started < 60_000, 'within a minute');
}, 120_000);
