/** A demo user, with the credential that a click puts into the headers. */
export interface User {
  name: string;
  description?: string;
  authorization: string;
}

/** What the server tells the page; see Options in web.go. */
export interface Config {
  title: string;
  endpoint: string;
  subscriptionEndpoint: string;
  docsURL?: string;
  defaultQuery?: string;
  examples?: string[];
  defaultHeaders?: Record<string, string>;
  users?: User[];
  signIn?: boolean;
}

/** Reads the settings, which are data and no inline script: the
 * Content-Security-Policy allows none. */
export async function loadConfig(): Promise<Config> {
  const response = await fetch('./playground/config.json', {
    credentials: 'omit',
    headers: { Accept: 'application/json' },
  });
  if (!response.ok) {
    throw new Error(`config.json answered ${response.status}`);
  }
  return (await response.json()) as Config;
}
