// How a subscription may end, as GraphiQL shows it. Always over the mock server: the real
// one does not end a stream on demand.
import { after, before } from 'node:test';

import { launch } from '../lib/browser.mjs';
import { answerShows, pasteQuery, run } from '../lib/editor.mjs';
import { pageTests } from '../lib/page-test.mjs';
import { openMockSite } from '../lib/site.mjs';

let site, browser;

before(async () => {
  site = await openMockSite();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await site?.close();
});

const pageTest = pageTests(() => browser, () => site.url);

const ends = {
  'a cursor that is too old': ['expired', /"errors": \[ \{ "message": "the log does not.*"code": "CURSOR_EXPIRED".*"events": 0/],
  'a page that is too slow, after an event': ['slow', /"code": "RESUME", "cursor": "go-on-here".*"events": 1,.*"name": "SAL-ORD-/],
  'a session that was revoked, after an event': ['revoked', /"the socket was closed: Unauthorized.*"code": "UNAUTHENTICATED", "closeCode": 4401.*"events": 1,/],
  'a stream that is over': ['over', /"ended": "the server has no more events", "events": 1,/],
};

for (const [name, [cursor, shown]] of Object.entries(ends)) {
  pageTest(name, async page => {
    await pasteQuery(page, `subscription Ending { salesOrderChanged(after: "${cursor}") { name } }`);
    await run(page);
    await answerShows(page, shown);
    await page.getByRole('button', { name: /^Execute query/ }).waitFor();
  });
}

pageTest('a subscription that is not valid', async page => {
  await pasteQuery(page, 'subscription Ending { salesOrderChanged { name nonsense } }');
  await run(page);
  await answerShows(page, /"errors": \[ \{ "message": "Cannot query field.*"events": 0/);
});
