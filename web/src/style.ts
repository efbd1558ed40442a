// The parts of GraphiQL's style by name, not the bundled graphiql/style.css:
// that one repeats the editor's rules and inlines its fonts as data: URLs, which
// the page's Content-Security-Policy refuses.
import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import '@graphiql/plugin-explorer/style.css';
import 'graphiql/graphiql.css';

import './fonts.css';
import './page.css';
