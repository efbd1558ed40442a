import { useEffect } from 'react';
import { useGraphiQL } from '@graphiql/react';

/** Keeps the headers when a query is taken from the history. Stored entries have
 * no headers (storage.ts), and GraphiQL would empty the header editor. */
export function useKeptHeaders(): void {
  const editor = useGraphiQL(state => state.headerEditor);
  useEffect(() => {
    if (!editor) {
      return;
    }
    let last = editor.getValue();
    const subscription = editor.onDidChangeModelContent(event => {
      const text = editor.getValue();
      // A flush replaces the text as a whole: a program did, not a person. Tabs
      // never come without headers, so the empty text is the history's.
      if (event.isFlush && text === '' && last !== '') {
        // Not at once: the editor is still telling its other listeners.
        queueMicrotask(() => editor.setValue(last));
        return;
      }
      last = text;
    });
    return () => subscription.dispose();
  }, [editor]);
}
