import { beforeAll, expect, it } from 'vitest';
import { firstLoadBytes, webPages } from '../../bench/web-bundle.ts';
import { ensureBuiltWeb } from '../../launch/build-web.ts';

beforeAll(async () => {
  await ensureBuiltWeb();
}, 300_000);

it.each(Object.keys(webPages) as (keyof typeof webPages)[])(
  'fetches at most 500 kB, gzipped, before a page shows itself: %s',
  async (page) => {
    const bytes = await firstLoadBytes(page);
    process.stdout.write(`${page}: ${Math.round(bytes / 1000)} kB\n`);
    expect(bytes).toBeLessThan(500_000);
    expect(bytes).toBeGreaterThan(50_000);
  },
);
