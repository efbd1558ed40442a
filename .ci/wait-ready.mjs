// Waits until a URL answers 200: node wait-ready.mjs URL SECONDS PID
// Fails when the time is over, or as soon as the process PID is gone.
import { setTimeout as pause } from 'node:timers/promises';

const [url, seconds, pid] = process.argv.slice(2);
const end = Date.now() + Number(seconds) * 1000;

function alive() {
  try {
    return process.kill(Number(pid), 0);
  } catch {
    return false;
  }
}

let last;
while (Date.now() < end) {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
    last = `HTTP ${response.status}: ${(await response.text()).slice(0, 500)}`;
    if (response.ok) {
      process.exit(0);
    }
  } catch (error) {
    last = error.cause?.message ?? error.message;
  }
  if (!alive()) {
    console.error('the server ended before it was ready');
    process.exit(1);
  }
  await pause(250);
}
console.error(`${url} is not ready after ${seconds} s; last: ${last}`);
process.exit(1);
