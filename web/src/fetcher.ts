import { createGraphiQLFetcher } from '@graphiql/toolkit';

import type { Config } from './config';
import type { Session } from './session';

/** How GraphiQL asks the server. A request has one credential: the Authorization
 * header where the editor has one, else the session's cookie. Without a session to
 * sign in to, no cookie of this host has a say. */
export function createFetcher(config: Config, session: Session | undefined) {
  const socket = new URL(config.subscriptionEndpoint, location.href);
  socket.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  return createGraphiQLFetcher({
    url: config.endpoint,
    subscriptionUrl: socket.href,
    fetch: async (input, init) => {
      if (!session || new Headers(init?.headers).has('Authorization')) {
        return fetch(input, { ...init, credentials: 'omit' });
      }
      const response = await fetch(input, { ...init, credentials: 'same-origin' });
      void tellRefusal(response, session);
      return response;
    },
  });
}

/** Tells session when the answer says that nobody is signed in. */
async function tellRefusal(response: Response, session: Session): Promise<void> {
  if (response.status === 401) {
    session.refused();
    return;
  }
  if (!/^application\/([\w-]+\+)?json\b/.test(response.headers.get('Content-Type') ?? '')) {
    return;
  }
  try {
    if (isUnauthenticated(await response.clone().json())) {
      session.refused();
    }
  } catch {
    // Given up, or no JSON: GraphiQL shows what it is.
  }
}

function isUnauthenticated(answer: { errors?: { extensions?: { code?: unknown } }[] } | null): boolean {
  return answer?.errors?.some(error => error.extensions?.code === 'UNAUTHENTICATED') ?? false;
}
