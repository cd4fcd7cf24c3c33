import { defineConfig } from 'vite';

/** Builds the live page into dist/page: one script, one style sheet, nothing inline, nothing from elsewhere. */
export default defineConfig({
  // The page may be below any path of a proxy.
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../../dist/page',
    emptyOutDir: true,
    target: 'es2022',
    // Where light-dark(), oklch() and nesting are understood, as they are written.
    cssTarget: ['chrome123', 'firefox128', 'safari17.5'],
    modulePreload: { polyfill: false },
    // A data: address for a small file would be against the page's own Content-Security-Policy.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
});
