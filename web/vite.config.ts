import { readFileSync } from 'node:fs';
import { defineConfig, type Plugin } from 'vite';

// Where `npm run dev` finds a running erpgraph.
const server = process.env.ERPGRAPH_URL ?? 'http://127.0.0.1:8080';

const bundle = (file: string) => new URL(`./src/bundle/${file}`, import.meta.url).pathname;

/** Adds the fonts' licences, which Vite leaves out of licenses.md: to it they are
 * style, not code. */
function fontLicenses(...fonts: string[]): Plugin {
  return {
    name: 'font-licenses',
    generateBundle() {
      for (const font of fonts) {
        this.emitFile({
          type: 'asset',
          fileName: `playground/license-font-${font}.txt`,
          source: readFileSync(new URL(`./node_modules/@fontsource-variable/${font}/LICENSE`, import.meta.url)),
        });
      }
    },
  };
}

export default defineConfig({
  // Relative addresses, so that the page may be served under any prefix.
  base: './',
  plugins: [fontLicenses('roboto', 'fira-code')],
  resolve: {
    // Lean stand-ins, each explained in its file.
    alias: [
      { find: /^monaco-editor\/.*\/edcore\.main\.js$/, replacement: bundle('editor.ts') },
      { find: /^prettier\/(parser-babel|plugins\/estree)$/, replacement: bundle('json-format.ts') },
    ],
  },
  build: {
    target: 'es2022',
    // Everything but index.html lies below playground/, so that the server
    // needs two routes: "/" and "/playground/*".
    assetsDir: 'playground/assets',
    // A Content-Security-Policy without data: fonts needs fonts as files.
    assetsInlineLimit: 0,
    sourcemap: false,
    license: { fileName: 'playground/licenses.md' },
    // One large chunk is the editor itself; it is loaded once and cached for good.
    chunkSizeWarningLimit: 4096,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      onLog(level, log, report) {
        // "use client" marks a server-side framework's boundary; there is none here.
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') {
          report(level, log);
        }
      },
    },
  },
  worker: { format: 'es' },
  server: {
    proxy: {
      '/graphql': { target: server, ws: true },
      '/auth': server,
      '/playground/config.json': server,
    },
  },
});
