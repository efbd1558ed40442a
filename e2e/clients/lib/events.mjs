// Waiting for what comes, with an end to the patience.

/** How long an event may take. Webhooks have a second or two on a slow machine; what they
 * miss comes by catch-up, within a minute. */
const patience = 90_000;

/** Rejects after a while, with what was waited for. */
export async function soon(promise, what, millis = patience) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing after ${millis} ms`)), millis);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The next event of an async iterator. */
export async function next(events, what = 'the next event') {
  const { value, done } = await soon(events.next(), what);
  if (done) {
    throw new Error(`${what}: the stream has ended`);
  }
  return value;
}
