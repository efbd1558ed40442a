import type { MonacoEditor } from '@graphiql/react';
import { applyEdits, modify, parse } from 'jsonc-parser';

const format = { formattingOptions: { tabSize: 2, insertSpaces: true } };

/** The header editor's text as an object; undefined where it is not one. The
 * editor allows comments and trailing commas. */
function parseHeaders(text: string): Record<string, unknown> | undefined {
  const value: unknown = parse(text, [], { allowTrailingComma: true });
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

/** The name of the Authorization header in whatever case it is written. */
function authorizationName(headers: Record<string, unknown>): string | undefined {
  return Object.keys(headers).find(name => name.toLowerCase() === 'authorization');
}

/** The Authorization header among headers. */
export function authorizationIn(headers: Record<string, unknown>): string | undefined {
  const value = headers[authorizationName(headers) ?? ''];
  return typeof value === 'string' ? value : undefined;
}

/** The Authorization header in the editor's text. */
export function authorizationOf(text: string): string | undefined {
  return authorizationIn(parseHeaders(text) ?? {});
}

/** The editor's text with the Authorization header set; other headers and
 * comments stay. Text that is no JSON object is replaced as a whole. */
export function withAuthorization(text: string, authorization: string): string {
  const headers = parseHeaders(text);
  if (!headers) {
    return JSON.stringify({ Authorization: authorization }, null, 2);
  }
  const edits = modify(text, [authorizationName(headers) ?? 'Authorization'], authorization, format);
  return applyEdits(text, edits);
}

/** The editor's text without the Authorization header, in whatever case and
 * however often; other headers and comments stay. Text that is no JSON object is
 * left alone. */
export function withoutAuthorization(text: string): string {
  const name = authorizationName(parseHeaders(text) ?? {});
  if (name === undefined) {
    return text;
  }
  const rest = applyEdits(text, modify(text, [name], undefined, format));
  return rest === text ? text : withoutAuthorization(rest);
}

/** Replaces the editor's text by an edit, not setValue: so that undo brings back
 * what was there. */
export function replaceText(editor: MonacoEditor, text: string): void {
  const model = editor.getModel();
  if (!model) {
    return;
  }
  editor.pushUndoStop();
  editor.executeEdits('headers', [{ range: model.getFullModelRange(), text }]);
  editor.pushUndoStop();
}
