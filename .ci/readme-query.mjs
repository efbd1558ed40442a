// Asks a running demo the first query that a Markdown file shows, as the demo's user
// "sales", and expects rows and no error: BASE_URL=… node readme-query.mjs README.md
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

const file = process.argv[2];
const query = (await readFile(file, 'utf8')).match(/^```graphql\n([\s\S]*?)^```$/m)?.[1];
assert(query, `${file} shows no query: a code block that begins with \`\`\`graphql`);

const response = await fetch(new URL('/graphql', process.env.BASE_URL), {
  method: 'POST',
  headers: { 'Content-Type': 'application/json', Authorization: 'token sales:demo' },
  body: JSON.stringify({ query }),
});
const answer = await response.json();
const text = JSON.stringify(answer, null, 2);
assert.equal(response.status, 200, text);
assert.equal(answer.errors, undefined, text);

/** Whether a list anywhere in the answer has a row. */
function hasRows(value) {
  if (Array.isArray(value)) {
    return value.length > 0;
  }
  return value !== null && typeof value === 'object' && Object.values(value).some(hasRows);
}
assert(hasRows(answer.data), `the answer has no rows:\n${text}`);
console.log(`the first query of ${file} answers`);
