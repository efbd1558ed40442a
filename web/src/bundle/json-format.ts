// A plugin for prettier that formats JSON with comments. It stands in for
// prettier's parsers and printers of JavaScript (see vite.config.ts), half a
// megabyte that GraphiQL loads only to tidy variables and headers.
import { applyEdits, format } from 'jsonc-parser';

interface Text {
  text: string;
}

export const parsers = {
  jsonc: {
    astFormat: 'jsonc-text',
    parse: (text: string): Text => ({
      text: applyEdits(text, format(text, undefined, { tabSize: 2, insertSpaces: true })),
    }),
    locStart: () => 0,
    locEnd: (node: Text) => node.text.length,
  },
};

export const printers = {
  'jsonc-text': {
    print: (path: { node: Text }) => path.node.text,
  },
};
