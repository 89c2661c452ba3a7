import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** Where `npm run dev:web` finds the API: a server that runs already. */
const server = 'http://127.0.0.1:8266';

export default defineConfig({
  plugins: [react()],
  resolve: {
    // Its form library imports this one for its own tests alone; ours is json-schema-validator.ts.
    alias: { '@rjsf/validator-ajv8': fileURLToPath(new URL('src/wizard/no-validator.ts', import.meta.url)) },
  },
  build: {
    outDir: 'dist',
    // The page's policy allows no inline scripts and no data: addresses but pictures.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
    manifest: true,
    reportCompressedSize: false,
  },
  server: { proxy: { '/api': server } },
});
