import { useEffect } from 'react';
import { useGraphiQL } from '@graphiql/react';

import { authorizationOf, replaceText, withoutAuthorization } from './headers';

/** While signed in, the session says who asks: the preset Authorization of a new
 * tab goes out of the header editor wherever GraphiQL puts it in by itself, at the
 * start or on a change of tabs. One that a person picks or types stays. */
export function usePresetRemoved(preset: string | undefined, signedIn: boolean): void {
  const editor = useGraphiQL(state => state.headerEditor);
  useEffect(() => {
    if (!editor || !signedIn || preset === undefined) {
      return;
    }
    let picked = false;
    const isPreset = () => authorizationOf(editor.getValue()) === preset;
    const remove = () => {
      if (!picked && isPreset()) {
        replaceText(editor, withoutAuthorization(editor.getValue()));
      }
    };
    remove();
    const subscription = editor.onDidChangeModelContent(event => {
      // A flush replaces the text as a whole: a program did, not a person.
      if (event.isFlush) {
        queueMicrotask(remove);
      } else {
        picked = isPreset();
      }
    });
    return () => subscription.dispose();
  }, [editor, preset, signedIn]);
}
