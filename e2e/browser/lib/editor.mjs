// GraphiQL's parts as a person uses them.
import { setTimeout as pause } from 'node:timers/promises';

/** The button that runs what is in the editor. By its name: while something runs, the
 * same button stops it. */
export const run = page => page.getByRole('button', { name: /^Execute query/ }).click();

/** The same button while something runs. */
export const stop = page => page.getByRole('button', { name: /^Stop query/ });

export const openPanel = (page, title) => page.getByRole('button', { name: `Show ${title}`, exact: true }).click();

export const editorText = page => page.locator('.graphiql-query-editor .view-lines').innerText();

const headerEditor = '.graphiql-editor-tool .graphiql-editor:not(.hidden) .view-lines';

export const headerText = page => page.locator(headerEditor).innerText();

/** Types a query without a name in place of what is there. */
export async function typeQuery(page, text) {
  await empty(page, '.graphiql-query-editor .view-lines');
  await page.keyboard.type(text);
  await parsed(page, '<untitled>');
}

/** Pastes an operation in place of what is there. */
export async function pasteQuery(page, text) {
  await empty(page, '.graphiql-query-editor .view-lines');
  await paste(page, text);
  const [, name = '<untitled>'] = /^\s*(?:query|mutation|subscription)\s+(\w+)/m.exec(text) ?? [];
  await parsed(page, name);
}

/** Pasted, not typed: typing closes brackets and quotes by itself. */
export async function setHeaders(page, text) {
  await page.locator(headerEditor).click();
  await page.keyboard.press('ControlOrMeta+A');
  await paste(page, text);
}

async function empty(page, editor) {
  await page.locator(editor).click();
  await page.keyboard.press('ControlOrMeta+A');
  // Away with it first: a bracket typed over a selection would wrap it.
  await page.keyboard.press('Delete');
}

function paste(page, text) {
  return page.evaluate(pasted => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', pasted);
    document.activeElement.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
  }, text);
}

/** GraphiQL parses a moment after the last key; only then does it know that the
 * operation before is gone. */
function parsed(page, name) {
  return page.locator('.graphiql-tab-active .graphiql-tab-button', { hasText: name }).waitFor();
}

/** Waits until the answer's pane shows what matches; its lines are joined by a space. Of
 * a long answer only the beginning is drawn. */
export async function answerShows(page, pattern, millis = 20_000) {
  const end = Date.now() + millis;
  let text;
  while (!pattern.test(text = await answerText(page))) {
    if (Date.now() > end) {
      throw new Error(`the answer does not match ${pattern}: ${text}`);
    }
    await pause(50);
  }
}

/** The drawn lines by where they are: in the document they have any order. */
async function answerText(page) {
  const lines = await page.locator('.graphiql-response .view-line').evaluateAll(all =>
    all
      .map(line => ({ top: parseFloat(line.style.top), text: line.textContent.replaceAll('\u00a0', ' ').trim() }))
      .sort((a, b) => a.top - b.top)
      .map(line => line.text),
  );
  return lines.join(' ');
}
