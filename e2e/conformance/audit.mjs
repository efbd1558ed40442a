// Runs every server audit of graphql-http against BASE_URL + /graphql and fails
// unless all of them are there and ok. The server must run with introspection
// on, as some audits ask for __type; `go run . demo` does.
import process from 'node:process';
import { serverAudits } from 'graphql-http';

// Pinned with the version in package.json: fewer would be a broken import, more
// a new version whose audits nobody has read.
const expected = 61;

const base = process.env.BASE_URL ?? 'http://127.0.0.1:8080';
const url = new URL('/graphql', base).toString();
const audits = serverAudits({ url });

let failed = 0;
for (const audit of audits) {
  // An audit throws only when the server can't be reached at all.
  const result = await audit.fn().catch((cause) => {
    console.error(`no answer from ${url}: ${cause.cause?.message ?? cause.message}`);
    process.exit(1);
  });
  if (result.status === 'ok') continue;
  failed++;
  console.error(`${result.status.toUpperCase()} ${audit.id} ${audit.name}\n  ${result.reason}`);
  if (result.response) {
    console.error(`  HTTP ${result.response.status} ${result.response.headers.get('content-type')}`);
  }
}
if (audits.length !== expected) {
  console.error(`graphql-http has ${audits.length} audits, expected ${expected}`);
  process.exitCode = 1;
}
if (failed > 0) process.exitCode = 1;
console.log(`${audits.length - failed} of ${audits.length} audits ok at ${url}`);
