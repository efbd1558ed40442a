import { applyEdits, modify, parse } from 'jsonc-parser';

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

/** The Authorization header in the editor's text. */
export function authorizationOf(text: string): string | undefined {
  const headers = parseHeaders(text) ?? {};
  const value = headers[authorizationName(headers) ?? ''];
  return typeof value === 'string' ? value : undefined;
}

/** The editor's text with the Authorization header set; other headers and
 * comments stay. Text that is no JSON object is replaced as a whole. */
export function withAuthorization(text: string, authorization: string): string {
  const headers = parseHeaders(text);
  if (!headers) {
    return JSON.stringify({ Authorization: authorization }, null, 2);
  }
  const edits = modify(text, [authorizationName(headers) ?? 'Authorization'], authorization, {
    formattingOptions: { tabSize: 2, insertSpaces: true },
  });
  return applyEdits(text, edits);
}
