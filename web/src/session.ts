import { useSyncExternalStore } from 'react';

/** What is known of the browser's session. The cookie that holds it is out of
 * reach of scripts, and nothing of it is kept in the browser's storage. */
export type SessionState = { notice?: string } & (
  | { status: 'unknown' }
  | { status: 'out' }
  | { status: 'in'; user: string; fullName: string; roles: string[]; stale: boolean; expiresAt: number }
);

/** The browser's session at erpgraph. */
export interface Session {
  /** The state now; the same object until it changes. */
  get(): SessionState;
  /** Calls listener after each change, until the function it returns is called. */
  subscribe(listener: () => void): () => void;
  /** Keeps the state fresh while the page is seen, until the function it returns
   * is called. */
  watch(): () => void;
  /** To be called when a request was refused: asks at once whether the session is
   * still there. */
  refused(): void;
  /** Leaves the page for ERPNext's login, and comes back to it. */
  signIn(): void;
  /** Ends the session, here and at ERPNext. */
  signOut(): Promise<void>;
}

const sessionURL = '/auth/session';
const loginURL = '/auth/login';
const logoutURL = '/auth/logout';

/** How often the session is asked for while the page is seen: with the 30 s that
 * the server may remember a user, a revoked grant shows within a minute. */
const pollMillis = 20_000;

/** Longer than the server gives ERPNext to answer. */
const timeoutMillis = 15_000;

/** After so long without an answer, what ended a session is anyone's guess. */
const forgottenMillis = 60 * 60_000;

/** Tells a GraphQL error that says that the credential does not count. */
export function isUnauthenticated(error: { extensions?: { code?: unknown } }): boolean {
  return error.extensions?.code === 'UNAUTHENTICATED';
}

/** Makes the session of this page. */
export function createSession(): Session {
  const listeners = new Set<() => void>();
  // Tells the other tabs of a sign-out here, which they would take for a refusal.
  const tabs = new BroadcastChannel('erpgraph-session');
  let state: SessionState = { status: 'unknown' };
  let confirmedAt = 0;
  let checking: AbortController | undefined;
  let leaving = false;

  const set = (next: SessionState) => {
    state = next;
    listeners.forEach(listener => listener());
  };

  const stopChecking = () => {
    checking?.abort();
    checking = undefined;
  };

  const check = async () => {
    if (checking || leaving) {
      return;
    }
    const mine = new AbortController();
    checking = mine;
    const answer = await askSession(mine.signal);
    if (checking !== mine) {
      return; // Overtaken: what it says is of the past.
    }
    checking = undefined;
    if (answer) {
      set(answer.status === 'out' ? signedOut(state, confirmedAt) : answer);
      confirmedAt = Date.now();
    } else if (state.status === 'unknown') {
      set({ status: 'out' });
    }
    // Else no answer: an outage says nothing about the session.
  };

  tabs.onmessage = () => {
    stopChecking();
    set({ status: 'out' });
  };

  return {
    get: () => state,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    watch() {
      let timer: ReturnType<typeof setInterval> | undefined;
      const update = () => {
        clearInterval(timer);
        if (document.visibilityState === 'visible') {
          void check();
          timer = setInterval(check, pollMillis);
        }
      };
      const stop = new AbortController();
      document.addEventListener('visibilitychange', update, stop);
      window.addEventListener('focus', update, stop);
      // Back from the browser's cache, the page shows what was true when it was left.
      window.addEventListener('pageshow', update, stop);
      update();
      return () => {
        stop.abort();
        clearInterval(timer);
        stopChecking();
      };
    },
    refused() {
      // Anew: a question under way may have been answered before the refusal.
      stopChecking();
      void check();
    },
    signIn() {
      location.assign(`${loginURL}?return_to=${encodeURIComponent(location.pathname)}`);
    },
    async signOut() {
      if (leaving) {
        return;
      }
      leaving = true;
      stopChecking();
      const failure = await askSignOut();
      leaving = false;
      if (failure === undefined) {
        set({ status: 'out' });
        tabs.postMessage('signed-out');
      } else {
        set({ ...state, notice: `Could not log out: ${failure}` });
      }
    },
  };
}

/** The state of the session, kept up to date. Without a session nobody is signed
 * in. */
export function useSession(session: Session | undefined): SessionState {
  return useSyncExternalStore(session?.subscribe ?? subscribeToNothing, session?.get ?? getNobody);
}

const nobody: SessionState = { status: 'out' };
const getNobody = () => nobody;
const subscribeToNothing = () => () => {};

/** The state that follows on before, now that nobody is signed in. */
function signedOut(before: SessionState, confirmedAt: number): SessionState {
  if (before.status !== 'in') {
    return { ...before, status: 'out' };
  }
  const now = Date.now();
  const known = now < before.expiresAt && now - confirmedAt < forgottenMillis;
  return {
    status: 'out',
    notice: known
      ? 'Signed out: ERPNext no longer accepts this session'
      : 'Signed out: the session has ended',
  };
}

/** Asks the server for the session; undefined when there is no clear answer. */
async function askSession(signal: AbortSignal): Promise<SessionState | undefined> {
  try {
    const response = await fetch(sessionURL, {
      credentials: 'same-origin',
      cache: 'no-store',
      headers: { Accept: 'application/json' },
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMillis)]),
    });
    return response.ok ? readSession(await response.json()) : undefined;
  } catch {
    return undefined;
  }
}

function readSession(value: unknown): SessionState | undefined {
  const answer = value as Partial<{
    signedIn: boolean;
    user: string;
    fullName: string;
    roles: string[];
    expiresAt: string;
    stale: boolean;
  }> | null;
  if (answer?.signedIn === false) {
    return { status: 'out' };
  }
  if (answer?.signedIn !== true || typeof answer.user !== 'string') {
    return undefined;
  }
  return {
    status: 'in',
    user: answer.user,
    fullName: answer.fullName ?? '',
    roles: answer.roles ?? [],
    stale: answer.stale === true,
    // Without a date, as if for ever.
    expiresAt: Date.parse(answer.expiresAt ?? '') || Infinity,
  };
}

/** Asks the server to end the session; why it failed, or undefined. */
async function askSignOut(): Promise<string | undefined> {
  try {
    const response = await fetch(logoutURL, {
      method: 'POST',
      credentials: 'same-origin',
      // Not mode "same-origin": with the page's referrer policy it would send
      // "Origin: null". Either header alone makes another site's request
      // impossible without the server's consent.
      headers: { Accept: 'application/json', 'Content-Type': 'application/json', 'GraphQL-Preflight': '1' },
      body: '{}',
      signal: AbortSignal.timeout(timeoutMillis),
    });
    return response.ok ? undefined : `the server answered ${response.status}`;
  } catch {
    return 'the server did not answer';
  }
}
