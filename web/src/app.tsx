import { useMemo } from 'react';
import { DOC_EXPLORER_PLUGIN, DocExplorerStore } from '@graphiql/plugin-doc-explorer';
import { explorerPlugin } from '@graphiql/plugin-explorer';
import { HISTORY_PLUGIN, HistoryStore } from '@graphiql/plugin-history';
import { GraphiQLProvider } from '@graphiql/react';
import { GraphiQL, GraphiQLInterface } from 'graphiql';

import type { Config } from './config';
import { createFetcher } from './fetcher';
import { createSession } from './session';
import { StartStrip } from './start-strip';
import { headerlessStorage } from './storage';

const plugins = [
  DOC_EXPLORER_PLUGIN,
  HISTORY_PLUGIN,
  { ...explorerPlugin({ showAttribution: false }), title: 'Explorer' },
];

/** The whole page: the start strip, and GraphiQL below it. */
export function App({ config }: { config: Config }) {
  const session = useMemo(() => (config.signIn ? createSession() : undefined), [config]);
  const fetcher = useMemo(() => createFetcher(config, session), [config, session]);
  const headers = JSON.stringify(config.defaultHeaders ?? {}, null, 2);
  return (
    <GraphiQLProvider
      fetcher={fetcher}
      plugins={plugins}
      referencePlugin={DOC_EXPLORER_PLUGIN}
      defaultQuery={config.defaultQuery ?? ''}
      defaultHeaders={headers}
      // Of the first visit; later the tabs are those that the browser has kept.
      defaultTabs={[config.defaultQuery ?? '', ...(config.examples ?? [])].map(query => ({ query, headers }))}
      // A credential is never written to the browser's storage.
      storage={headerlessStorage}
      shouldPersistHeaders={false}
      inputValueDeprecation
      schemaDescription
    >
      <HistoryStore>
        <DocExplorerStore>
          <StartStrip config={config} session={session} />
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
