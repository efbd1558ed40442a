import { useMemo } from 'react';
import { DOC_EXPLORER_PLUGIN, DocExplorerStore } from '@graphiql/plugin-doc-explorer';
import { explorerPlugin } from '@graphiql/plugin-explorer';
import { HISTORY_PLUGIN, HistoryStore } from '@graphiql/plugin-history';
import { GraphiQLProvider } from '@graphiql/react';
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL, GraphiQLInterface } from 'graphiql';

import type { Config } from './config';
import { StartStrip } from './start-strip';
import { headerlessStorage } from './storage';

const plugins = [
  DOC_EXPLORER_PLUGIN,
  HISTORY_PLUGIN,
  { ...explorerPlugin({ showAttribution: false }), title: 'Explorer' },
];

/** The whole page: the start strip, and GraphiQL below it. */
export function App({ config }: { config: Config }) {
  const fetcher = useMemo(() => createFetcher(config), [config]);
  return (
    <GraphiQLProvider
      fetcher={fetcher}
      plugins={plugins}
      referencePlugin={DOC_EXPLORER_PLUGIN}
      defaultQuery={config.defaultQuery ?? ''}
      defaultHeaders={JSON.stringify(config.defaultHeaders ?? {}, null, 2)}
      // A credential is never written to the browser's storage.
      storage={headerlessStorage}
      shouldPersistHeaders={false}
      inputValueDeprecation
      schemaDescription
    >
      <HistoryStore>
        <DocExplorerStore>
          <StartStrip config={config} />
          <GraphiQLInterface
            defaultEditorToolsVisibility="headers"
            showPersistHeadersSettings={false}
          >
            <GraphiQL.Logo> </GraphiQL.Logo>
          </GraphiQLInterface>
        </DocExplorerStore>
      </HistoryStore>
    </GraphiQLProvider>
  );
}

function createFetcher(config: Config) {
  const socket = new URL(config.subscriptionEndpoint, location.href);
  socket.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  return createGraphiQLFetcher({
    url: config.endpoint,
    subscriptionUrl: socket.href,
    // The header alone says who asks; a cookie of this host has no say.
    fetch: (input, init) => fetch(input, { ...init, credentials: 'omit' }),
  });
}
