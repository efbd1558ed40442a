import { createGraphiQLFetcher, type Fetcher, type FetcherReturnType } from '@graphiql/toolkit';
import { getOperationAST, parse } from 'graphql';

import type { Config } from './config';
import { isUnauthenticated, type Session } from './session';
import { subscription } from './subscription';

/** How GraphiQL asks the server. A request has one credential: the Authorization
 * header where the editor has one, else the session's cookie. Without a session to
 * sign in to, no cookie of this host has a say. */
export function createFetcher(config: Config, session: Session | undefined): Fetcher {
  const socket = new URL(config.subscriptionEndpoint, location.href);
  socket.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const overHTTP = createGraphiQLFetcher({
    url: config.endpoint,
    fetch: async (input, init) => {
      if (!session || new Headers(init?.headers).has('Authorization')) {
        return fetch(input, { ...init, credentials: 'omit' });
      }
      const response = await fetch(input, { ...init, credentials: 'same-origin' });
      void tellRefusal(response, session);
      return response;
    },
  });
  return (params, options) => {
    const operation = operationOf(params.query, params.operationName);
    const named = { ...params, operationName: (operation ? operation.name?.value : params.operationName) ?? null };
    return operation?.operation === 'subscription'
      ? // GraphiQL prints what it is given, whatever its members.
        (subscription(socket.href, named, options?.headers ?? {}, session) as unknown as FetcherReturnType)
      : overHTTP(named, options);
  };
}

/** The operation that is meant; undefined where the server has to say what is wrong. An
 * only operation is meant whatever name is asked for: GraphiQL learns a moment late that
 * the text is another one. */
function operationOf(text: string, name: string | null | undefined) {
  try {
    const document = parse(text);
    return getOperationAST(document) ?? getOperationAST(document, name) ?? undefined;
  } catch {
    return undefined;
  }
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
    const answer = (await response.clone().json()) as { errors?: Parameters<typeof isUnauthenticated>[0][] } | null;
    if (answer?.errors?.some(isUnauthenticated)) {
      session.refused();
    }
  } catch {
    // Given up, or no JSON: GraphiQL shows what it is.
  }
}
