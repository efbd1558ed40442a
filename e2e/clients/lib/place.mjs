import { createClient } from 'graphql-sse';

import { graph, manager } from './demo.mjs';
import { next } from './events.mjs';

/** The place of the log's end: `after` begins there, whenever the subscription itself does.
 * The first event of a live list has it. */
export async function placeNow() {
  const client = createClient({ url: graph, headers: { Authorization: manager }, retryAttempts: 0 });
  const events = client.iterate({ query: 'subscription { customersLive(first: 1) { cursor } }' });
  try {
    const { data, errors } = await next(events, 'the first event of a live list');
    if (errors) {
      throw new Error(JSON.stringify(errors));
    }
    return data.customersLive.cursor;
  } finally {
    await events.return?.();
    client.dispose();
  }
}
