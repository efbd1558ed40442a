import { createClient, type SubscribePayload } from 'graphql-ws';

import { authorizationIn } from './headers';
import { isUnauthenticated, type Session } from './session';

/** The close code of a socket whose credential no longer counts. */
const unauthorized = 4401;

/** So many events stay in sight; older ones make room. */
const shownEvents = 50;

/** What the answer's pane shows of a subscription: why it ended, how many events it had
 * and, newest first, what they were. */
export interface Shown {
  errors?: readonly Problem[];
  ended?: string;
  events: number;
  newestFirst: unknown[];
}

interface Problem {
  message: string;
  extensions?: Record<string, unknown>;
}

/** A subscription over a socket of its own: what to show after each event. It never
 * fails: how it ended is the last that it gives. The socket is not opened again when it
 * was lost: only who wrote the operation knows how to go on without a hole. */
export function subscription(
  url: string,
  payload: SubscribePayload,
  headers: Record<string, unknown>,
  session: Session | undefined,
) {
  return {
    subscribe(observer: { next(shown: Shown): void; complete(): void }) {
      // A script can't set the headers of a handshake, so the credential follows in the
      // first message. Without one the browser has sent the session's cookie.
      const authorization = authorizationIn(headers);
      const client = createClient({
        url,
        ...(authorization !== undefined && { connectionParams: { authorization } }),
        retryAttempts: 0,
      });
      const shown: Shown = { events: 0, newestFirst: [] };
      let left = false;
      const end = (why: Partial<Shown>) => {
        void client.dispose();
        if (!left) {
          observer.next({ ...why, ...shown });
          observer.complete();
        }
      };
      const leave = client.subscribe(payload, {
        next(event) {
          shown.events++;
          shown.newestFirst = [event, ...shown.newestFirst].slice(0, shownEvents);
          observer.next({ ...shown });
        },
        error(cause) {
          const errors = problems(cause);
          if (authorization === undefined && errors.some(isUnauthenticated)) {
            session?.refused();
          }
          end({ errors });
        },
        complete: () => end({ ended: 'the server has no more events' }),
      });
      return {
        unsubscribe() {
          left = true;
          leave();
        },
      };
    },
  };
}

/** What ended a subscription in the form of GraphQL errors: those of the server as they
 * are, and the closing of the socket in words. */
function problems(cause: unknown): readonly Problem[] {
  if (Array.isArray(cause)) {
    return cause as Problem[];
  }
  if (cause instanceof CloseEvent) {
    const code = cause.code === unauthorized ? { code: 'UNAUTHENTICATED' } : {};
    return [
      {
        message: `the socket was closed: ${cause.reason || 'the connection was lost'}`,
        extensions: { ...code, closeCode: cause.code },
      },
    ];
  }
  return [{ message: cause instanceof Error ? cause.message : 'the socket could not be opened' }];
}
