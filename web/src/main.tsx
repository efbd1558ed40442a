import { createRoot } from 'react-dom/client';

import './bundle/workers';
import './style';
import { App } from './app';
import { loadConfig } from './config';

const root = document.getElementById('root')!;

loadConfig().then(
  config => {
    document.title = config.title;
    createRoot(root).render(<App config={config} />);
  },
  (error: unknown) => {
    root.textContent = `The page could not load its settings: ${String(error)}`;
  },
);
