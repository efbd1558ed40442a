import { useEffect, useState } from 'react';
import { useGraphiQL } from '@graphiql/react';

import type { Config, User } from './config';
import { authorizationOf, withAuthorization } from './headers';
import { useKeptHeaders } from './kept-headers';
import logo from './logo.svg';

/** The bar above GraphiQL: what this is, where its docs are and, in the demo,
 * whom to be. */
export function StartStrip({ config }: { config: Config }) {
  useKeptHeaders();
  return (
    <header className="strip">
      <img className="strip-logo" src={logo} alt="" />
      <h1 className="strip-title">{config.title}</h1>
      <p className="strip-tagline">one GraphQL graph over ERPNext and Postgres</p>
      {config.users && config.users.length > 0 && <UserPicker users={config.users} />}
      {config.docsURL && (
        <a className="strip-docs" href={config.docsURL} target="_blank" rel="noreferrer">
          Docs
        </a>
      )}
    </header>
  );
}

function UserPicker({ users }: { users: User[] }) {
  const editor = useGraphiQL(state => state.headerEditor);
  const [current, setCurrent] = useState<string>();

  useEffect(() => {
    if (!editor) {
      return;
    }
    const update = () => setCurrent(authorizationOf(editor.getValue()));
    update();
    const subscription = editor.onDidChangeModelContent(update);
    return () => subscription.dispose();
  }, [editor]);

  const signIn = (user: User) => {
    const model = editor?.getModel();
    if (!editor || !model) {
      return;
    }
    // An edit, not setValue: so that undo brings back what was there.
    const text = withAuthorization(model.getValue(), user.authorization);
    editor.pushUndoStop();
    editor.executeEdits('sign-in', [{ range: model.getFullModelRange(), text }]);
    editor.pushUndoStop();
  };

  return (
    <div className="strip-users" role="group" aria-label="Demo users">
      <span className="strip-users-label">Ask as</span>
      {users.map(user => (
        <button
          key={user.name}
          type="button"
          title={user.description}
          aria-pressed={current === user.authorization}
          onClick={() => signIn(user)}
        >
          {user.name}
        </button>
      ))}
    </div>
  );
}
