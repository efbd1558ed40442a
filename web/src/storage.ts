/** Where GraphiQL keeps tabs, history and layout: the browser's local storage,
 * but without request headers, which hold credentials. GraphiQL itself leaves them
 * out of the tabs, yet writes them with each entry of the history. */
export const headerlessStorage = {
  getItem: (key: string) => localStorage.getItem(key),
  setItem(key: string, value: string) {
    if (key !== 'graphiql:headers') {
      localStorage.setItem(key, withoutHeaders(value));
    }
  },
  removeItem: (key: string) => localStorage.removeItem(key),
  clear() {
    ownKeys().forEach(key => localStorage.removeItem(key));
  },
  get length() {
    return ownKeys().length;
  },
};

function ownKeys(): string[] {
  return Object.keys(localStorage).filter(key => key.startsWith('graphiql:'));
}

function withoutHeaders(text: string): string {
  if (!text.includes('"headers"')) {
    return text;
  }
  // null, not left out: GraphiQL discards all tabs if one lacks a property. They must
  // outlive a reload, which signing in is, too.
  return JSON.stringify(JSON.parse(text), (name, value: unknown) =>
    name === 'headers' ? null : value,
  );
}
