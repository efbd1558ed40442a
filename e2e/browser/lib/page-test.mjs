// A test of one page, which is watched while it runs.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { openPage, screenshot } from './browser.mjs';

/** Gives the function that declares such tests: browser and url are asked for when one
 * runs. It runs body with a fresh page, and fails on any trouble the page had but what
 * is expected. */
export function pageTests(browser, url) {
  return (name, body, { expected = () => false, ...contextOptions } = {}) => {
    test(name, { timeout: 60_000 }, async () => {
      const opened = await openPage(browser(), url(), contextOptions);
      try {
        await body(opened.page, opened.response);
        assert.deepEqual(opened.troubles.filter(trouble => !expected(trouble)), []);
      } catch (error) {
        await screenshot(opened.page, `failed-${name.replace(/\W+/g, '-')}`);
        if (opened.troubles.length > 0) {
          console.error(opened.troubles.join('\n'));
        }
        throw error;
      } finally {
        await opened.close();
      }
    });
  };
}
