import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/** Where `npm run dev:web` finds the API: a server that runs already. */
const server = 'http://127.0.0.1:8266';

/** Compressed once, not with every request. */
const compressed = (): Plugin => ({
  name: 'compressed',
  async writeBundle({ dir }) {
    if (!dir) return;
    const folder = join(dir, 'assets');
    for (const name of await readdir(folder)) {
      if (!/\.(js|css|svg)$/.test(name)) continue;
      const content = await readFile(join(folder, name));
      await writeFile(join(folder, `${name}.gz`), await promisify(gzip)(content, { level: 9 }));
      await writeFile(join(folder, `${name}.br`), await promisify(brotliCompress)(content));
    }
  },
});

export default defineConfig({
  plugins: [react(), compressed()],
  resolve: {
    // Its form library imports this one for its own tests alone; ours is json-schema-validator.ts.
    alias: { '@rjsf/validator-ajv8': fileURLToPath(new URL('src/wizard/no-validator.ts', import.meta.url)) },
  },
  build: {
    outDir: 'dist',
    // The page's policy allows no inline scripts and no data: addresses but images.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
    manifest: true,
    reportCompressedSize: false,
  },
  server: { proxy: { '/api': server } },
});
