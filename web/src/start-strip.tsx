import { useEffect, useState } from 'react';
import { useGraphiQL } from '@graphiql/react';

import type { Config, User } from './config';
import { authorizationOf, replaceText, withAuthorization, withoutAuthorization } from './headers';
import { useKeptHeaders } from './kept-headers';
import logo from './logo.svg';
import { usePresetRemoved } from './preset';
import { useSession, type Session } from './session';
import { SignIn } from './sign-in';

/** The bar above GraphiQL: what this is, where its docs are, who is signed in and,
 * in the demo, whom to be. */
export function StartStrip({ config, session }: { config: Config; session: Session | undefined }) {
  const signedIn = useSession(session).status === 'in';
  usePresetRemoved(authorizationOf(JSON.stringify(config.defaultHeaders ?? {})), signedIn);
  useKeptHeaders();
  return (
    <header className="strip">
      <img className="strip-logo" src={logo} alt="" />
      <h1 className="strip-title">{config.title}</h1>
      <p className="strip-tagline">one GraphQL graph over ERPNext and Postgres</p>
      {config.users && config.users.length > 0 && <UserPicker users={config.users} signedIn={signedIn} />}
      {session && <SignIn session={session} />}
      {config.docsURL && (
        <a className="strip-docs" href={config.docsURL} target="_blank" rel="noreferrer">
          Docs
        </a>
      )}
    </header>
  );
}

/** What a click puts into the headers; without an Authorization the session asks. */
type Choice = Omit<User, 'authorization'> & { authorization?: string };

const me: Choice = { name: 'me (signed in)', description: 'the user of this session, by no header' };

function UserPicker({ users, signedIn }: { users: User[]; signedIn: boolean }) {
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

  const pick = ({ authorization }: Choice) => {
    if (editor) {
      const text = editor.getValue();
      replaceText(
        editor,
        authorization === undefined ? withoutAuthorization(text) : withAuthorization(text, authorization),
      );
    }
  };

  const choices: Choice[] = signedIn ? [me, ...users] : users;
  return (
    <div className="strip-users" role="group" aria-label="Demo users">
      <span className="strip-users-label">Ask as</span>
      {choices.map(choice => (
        <button
          key={choice.name}
          type="button"
          title={choice.description}
          aria-pressed={current === choice.authorization}
          onClick={() => pick(choice)}
        >
          {choice.name}
        </button>
      ))}
    </div>
  );
}
