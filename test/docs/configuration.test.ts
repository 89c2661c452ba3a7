/** What is written of a configuration is what its schema says, and its examples can be trained. */
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { runConfigSchema } from '../../contracts/run-config.ts';
import { configurationFiles, examples, keyPaths, wholeExample } from '../../docs/make-configuration.ts';

it('is up to date with the schema', async () => {
  for (const { path, content } of configurationFiles()) expect(await readFile(path, 'utf8'), path).toBe(content);
});

it('tells the meaning of every key, with an example that is allowed', () => {
  expect(Object.keys(examples).sort()).toEqual(keyPaths().sort());
  const { success, error } = runConfigSchema.safeParse(wholeExample());
  expect(success, error?.message).toBe(true);
  const page = configurationFiles()[0]?.content ?? '';
  for (const path of keyPaths())
    expect(page).toMatch(new RegExp(`\\| \`${path.replaceAll('.', '\\.')}\` \\| [A-Z\`1-9t]`));
});
