// A headless Chromium and pages that are watched for what must not happen.
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const artifacts = fileURLToPath(new URL('../artifacts', import.meta.url));

/** Starts Chromium: CHROMIUM where it is set, else the system's own. The flags
 * keep the browser from talking to anyone but the page under test. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** Opens url in a page of its own profile. troubles collects, as text, each
 * console error, uncaught exception, failed request, HTTP error and request to
 * another host. */
export async function openPage(browser, url, contextOptions = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 860 }, ...contextOptions });
  const page = await context.newPage();
  const troubles = [];
  const home = new URL(url).host;

  page.on('console', message => {
    if (message.type() === 'error') {
      troubles.push(`console: ${message.text()}`);
    }
  });
  page.on('pageerror', error => troubles.push(`exception: ${error.stack ?? error}`));
  // The context's events cover the workers' requests too.
  context.on('request', request => {
    const { protocol, host } = new URL(request.url());
    if (protocol !== 'data:' && protocol !== 'blob:' && host !== home) {
      troubles.push(`foreign request: ${request.url()}`);
    }
  });
  context.on('requestfailed', request => {
    const reason = request.failure()?.errorText;
    // Aborted: the page itself gave it up, as on a reload.
    if (reason !== 'net::ERR_ABORTED') {
      troubles.push(`failed request: ${request.url()} ${reason}`);
    }
  });
  context.on('response', response => {
    if (response.status() >= 400) {
      troubles.push(`HTTP ${response.status()}: ${response.url()}`);
    }
  });

  const response = await page.goto(url + '/');
  await page.locator('.graphiql-query-editor .view-lines').waitFor();
  return { page, response, troubles, close: () => context.close() };
}

/** Removes the pictures of the last run. */
export function clearArtifacts() {
  return rm(artifacts, { recursive: true, force: true });
}

/** Writes artifacts/<name>.png, for a person to look at. */
export async function screenshot(page, name) {
  await mkdir(artifacts, { recursive: true });
  await page.screenshot({ path: path.join(artifacts, `${name}.png`) });
}
