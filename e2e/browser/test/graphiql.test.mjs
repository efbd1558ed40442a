import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { clearArtifacts, launch, screenshot } from '../lib/browser.mjs';
import { editorText, headerText, openPanel, run, setHeaders, typeQuery } from '../lib/editor.mjs';
import { pageTests } from '../lib/page-test.mjs';
import { openSite } from '../lib/site.mjs';

let site, browser, config;

before(async () => {
  await clearArtifacts();
  site = await openSite();
  config = await (await fetch(`${site.url}/playground/config.json`)).json();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await site?.close();
});

const pageTest = pageTests(() => browser, () => site.url);

/** Does act and resolves to the body of the GraphQL answer it leads to. */
async function answerTo(page, act) {
  const [response] = await Promise.all([
    page.waitForResponse(
      r => r.url().endsWith(config.endpoint) && !r.request().postData()?.includes('IntrospectionQuery'),
    ),
    act(),
  ]);
  return response.json();
}

/** How many tabs there are on the first visit. */
const firstTabs = () => 1 + (config.examples ?? []).length;

/** All rows of all connections in an answer. */
function rowsOf(value) {
  if (value === null || typeof value !== 'object') {
    return [];
  }
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'nodes' && Array.isArray(inner) ? inner : rowsOf(inner),
  );
}

pageTest(
  'the page comes with a policy that closes it off',
  async (page, response) => {
    const headers = response.headers();
    const policy = headers['content-security-policy'];
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /script-src 'self'(;|$)/);
    assert.match(policy, /connect-src 'self'(;|$)/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(await page.title(), config.title);

    // And the browser enforces it: no inline script, no other host.
    const refused = await page.evaluate(async () => {
      const violation = () =>
        new Promise(resolve =>
          document.addEventListener('securitypolicyviolation', event => resolve(event.effectiveDirective), {
            once: true,
          }),
        );
      const first = violation();
      const script = document.createElement('script');
      script.textContent = 'globalThis.broken = true';
      document.head.append(script);
      const directives = [await first];
      const second = violation();
      await fetch('https://foreign.invalid/').catch(() => {});
      directives.push(await second);
      return { directives, ran: globalThis.broken === true };
    });
    assert.deepEqual(refused, { directives: ['script-src-elem', 'connect-src'], ran: false });
  },
  { expected: trouble => /Content Security Policy|foreign\.invalid/.test(trouble) },
);

pageTest('the demo query is there and returns rows', async page => {
  const answer = await answerTo(page, () => run(page));
  assert.equal(answer.errors, undefined);
  const rows = rowsOf(answer.data);
  assert.ok(rows.length > 0, 'no rows');
  await page.locator('.graphiql-response', { hasText: Object.values(rows[0]).find(v => typeof v === 'string') }).waitFor();
  await screenshot(page, 'demo-query');
});

pageTest('a query typed in returns rows', async page => {
  await typeQuery(page, '{ customers(first: 2) { nodes { name } } }');
  const answer = await answerTo(page, () => page.keyboard.press('ControlOrMeta+Enter'));
  assert.equal(answer.errors, undefined);
  assert.equal(rowsOf(answer.data).length, 2);
  await page.locator('.graphiql-response', { hasText: rowsOf(answer.data)[0].name }).waitFor();
  await screenshot(page, 'typed-query');
});

pageTest('the editor completes field names from the schema', async page => {
  await typeQuery(page, '{ customers');
  await page.locator('.suggest-widget', { hasText: 'customers' }).waitFor();
  await screenshot(page, 'completion');
});

pageTest('the docs open and lead to the types', async page => {
  await openPanel(page, 'Documentation Explorer');
  const docs = page.locator('.graphiql-doc-explorer');
  await docs.getByText('Query', { exact: true }).first().click();
  await docs.getByText('customers', { exact: true }).first().waitFor();
  await screenshot(page, 'docs');
});

pageTest('a click in the explorer adds a field to the query', async page => {
  await typeQuery(page, '{ customers { nodes { name } } }');
  await openPanel(page, 'Explorer');
  const explorer = page.locator('.graphiql-explorer-root');
  await explorer.locator('.graphiql-explorer-nodes').getByText('customerName', { exact: true }).first().click();
  await page.locator('.graphiql-query-editor', { hasText: 'customerName' }).waitFor();
  await screenshot(page, 'explorer');
});

pageTest('tabs and history; a query from the history keeps the headers', async page => {
  await answerTo(page, () => run(page));
  // After a reload the history has what is stored, and so no headers.
  await page.reload();
  await page.locator('.graphiql-tab-add').click();
  assert.equal(await page.locator('.graphiql-tab').count(), firstTabs() + 1);
  await openPanel(page, 'History');
  await page.locator('.graphiql-history-item-label').first().click();
  await screenshot(page, 'history');
  const answer = await answerTo(page, () => run(page));
  assert.equal(answer.errors, undefined);
  assert.ok(rowsOf(answer.data).length > 0, 'no rows');
});

pageTest('tidying keeps the headers and their comments', async page => {
  await setHeaders(page, '{/* who */"Authorization":"token some:secret","X-Other":"1"}');
  await page.getByRole('button', { name: /^Prettify/ }).click();
  await page.waitForFunction(() => document.querySelectorAll('.graphiql-editor-tool .view-line').length > 3);
  const text = (await headerText(page)).replaceAll('\u00a0', ' ');
  assert.equal(text, '{ /* who */\n  "Authorization": "token some:secret",\n  "X-Other": "1"\n}');
});

pageTest(
  'a credential stays in the page',
  async page => {
    const secret = 'token some:very-secret';
    await setHeaders(page, JSON.stringify({ Authorization: secret }));
    const [request] = await Promise.all([
      page.waitForRequest(r => r.headers().authorization === secret),
      run(page),
    ]);
    await request.response();
    await openPanel(page, 'History');
    await page.locator('.graphiql-history-item').first().waitFor();
    await page.locator('.graphiql-tab-add').click();
    const stored = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
    assert.ok(stored.includes('graphiql:queries'), `no history: ${stored}`);
    assert.ok(!stored.includes('very-secret'), `stored: ${stored}`);
  },
  // The made-up credential may be refused.
  { expected: trouble => /\b401\b/.test(trouble) },
);

pageTest('a demo user is chosen by a click, and is back after a reload', async page => {
  for (const user of config.users ?? []) {
    const button = page.getByRole('button', { name: user.name, exact: true });
    await button.click();
    assert.equal(await button.getAttribute('aria-pressed'), 'true');
    const [request] = await Promise.all([
      page.waitForRequest(r => r.headers().authorization === user.authorization),
      run(page),
    ]);
    await request.response();
  }
  await page.reload();
  await page.locator('.graphiql-query-editor .view-lines').waitFor();
  const answer = await answerTo(page, () => run(page));
  assert.equal(answer.errors, undefined);
  assert.equal(await page.locator('.graphiql-tab').count(), firstTabs());
});

pageTest(
  'dark',
  async page => {
    await answerTo(page, () => run(page));
    assert.ok((await editorText(page)).length > 0);
    await screenshot(page, 'dark');
  },
  { colorScheme: 'dark' },
);
