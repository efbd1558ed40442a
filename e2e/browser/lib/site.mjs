// The site under test: BASE_URL where it is set, else the built page over the
// mock server, both started here.
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { options, startMock } from './mock.mjs';

const repository = fileURLToPath(new URL('../../..', import.meta.url));

/** Resolves to { url, close }. */
export async function openSite() {
  if (process.env.BASE_URL) {
    return { url: process.env.BASE_URL.replace(/\/+$/, ''), close: async () => {} };
  }
  return openMockSite();
}

/** The page over the mock server, for what the real one does not do on demand. */
export async function openMockSite() {
  const dir = await mkdtemp(path.join(tmpdir(), 'erpgraph-browser-'));
  const binary = path.join(dir, 'serve');
  const settings = path.join(dir, 'options.json');
  // A built binary, not go run: that one would not pass the signal on.
  await promisify(execFile)('go', ['build', '-o', binary, './web/internal/serve'], { cwd: repository });
  await writeFile(settings, JSON.stringify(options));

  const mock = await startMock();
  const server = spawn(
    binary,
    ['-listen', '127.0.0.1:0', '-graphql', mock.url, '-options', settings],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exited = new Promise(resolve => server.once('exit', resolve));
  const lines = createInterface({ input: server.stdout });
  const url = await Promise.race([
    new Promise(resolve => lines.once('line', resolve)),
    exited.then(code => Promise.reject(new Error(`the page's server ended with ${code}`))),
  ]);
  return {
    url,
    close: async () => {
      server.kill('SIGTERM');
      await exited;
      await mock.close();
      await rm(dir, { recursive: true });
    },
  };
}
