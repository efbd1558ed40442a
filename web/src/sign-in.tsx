import { useEffect, useState } from 'react';

import { useSession, type Session, type SessionState } from './session';

/** The strip's end: who is signed in, and the way in and out. */
export function SignIn({ session }: { session: Session }) {
  const state = useSession(session);
  const [leaving, setLeaving] = useState(false);
  useEffect(() => session.watch(), [session]);

  const signOut = async () => {
    setLeaving(true);
    await session.signOut();
    setLeaving(false);
  };

  return (
    <div className="strip-session">
      {/* There from the start: only then is a later text read out. */}
      <span className="strip-status" role="status" data-testid="session-status">
        {state.notice}
      </span>
      {state.status === 'in' && (
        <>
          <Who {...state} />
          <button type="button" data-testid="sign-out" onClick={signOut}>
            Log out
          </button>
        </>
      )}
      {state.status === 'out' && (
        // Takes the focus over from "Log out", which is gone.
        <button
          type="button"
          className="strip-primary"
          data-testid="sign-in"
          autoFocus={leaving}
          onClick={session.signIn}
        >
          Log in with ERPNext
        </button>
      )}
    </div>
  );
}

function Who({ user, fullName, roles, stale }: Extract<SessionState, { status: 'in' }>) {
  const note = stale ? 'ERPNext does not answer: roles unknown' : `Roles: ${roles.join(', ') || 'none'}`;
  return (
    <>
      <span className="strip-who" title={note} data-testid="who">
        {fullName && fullName !== user ? `${fullName} · ${user}` : user}
      </span>
      <span className="strip-unseen">{note}</span>
    </>
  );
}
