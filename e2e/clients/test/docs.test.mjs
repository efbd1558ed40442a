// Each snippet of docs/subscribing.md, run as it stands but for the address, until it has
// printed a change.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { base, change, newCustomer } from '../lib/demo.mjs';
import { soon } from '../lib/events.mjs';

const here = fileURLToPath(new URL('..', import.meta.url));
const page = path.join(here, '../../docs/subscribing.md');

/** The blocks of a page that are code of these languages, with the heading they are below
 * and their place there. */
function snippets(text) {
  const found = [];
  let heading = '';
  for (const [, title, language, code] of text.matchAll(/^## (.+)$|^```(\w+)\n([\s\S]*?)^```$/gm)) {
    if (title) {
      heading = title;
    } else if (language === 'js' || language === 'sh') {
      const before = found.filter(one => one.heading === heading).length;
      found.push({ heading, name: `${heading}, ${before + 1}`, language, code });
    }
  }
  return found;
}

const all = snippets(await readFile(page, 'utf8'));

let customer, folder;
before(async () => {
  // Among the tests, so that the snippets find their modules.
  folder = await mkdtemp(path.join(here, '.snippets-'));
  customer = await newCustomer();
});
after(() => folder && rm(folder, { recursive: true }));

test('the page has its snippets', () => {
  assert.deepEqual(all.map(one => one.name), [
    'WebSocket: graphql-ws, 1', 'EventSource, 1', 'graphql-sse, 1', 'graphql-sse, 2', 'Apollo Client, 1', 'urql, 1',
    'curl, 1', 'curl, 2', 'A list that stays fresh, 1', 'A new token on the open socket, 1',
  ]);
});

for (const [number, { name, language, code }] of all.entries()) {
  test(name, async () => {
    const here = new URL(base).host;
    const text = code.replaceAll('127.0.0.1:8080', here);
    const file = path.join(folder, `${number}.${language === 'js' ? 'mjs' : 'sh'}`);
    await writeFile(file, text);
    const globals = fileURLToPath(new URL('../lib/browser-globals.mjs', import.meta.url));
    const command = language === 'js' ? [process.execPath, '--import', globals, file] : ['sh', '-e', file];
    // A group of its own, with all that a shell starts.
    const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const ended = once(child, 'exit');
    let printed = '';
    const seen = new Promise(resolve => {
      const look = chunk => {
        printed += chunk;
        if (printed.includes(customer)) {
          resolve();
        }
      };
      child.stdout.setEncoding('utf8').on('data', look);
      child.stderr.setEncoding('utf8').on('data', look);
    });
    let changes = 0;
    const writer = setInterval(() => { void change(customer, `https://${number}-${++changes}.example`).catch(() => {}); }, 1000);
    try {
      await soon(Promise.race([seen, ended.then(([exit]) => { throw new Error(`it has ended with ${exit}`); })]), name);
    } catch (error) {
      error.message += `; it printed: ${printed}`;
      throw error;
    } finally {
      clearInterval(writer);
      if (child.exitCode === null && child.signalCode === null) {
        process.kill(-child.pid, 'SIGKILL');
      }
      await ended;
    }
  });
}
