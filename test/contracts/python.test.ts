/** What Python reads and writes is what the contracts say. */
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { pythonFile, pythonModels } from '../../contracts/make-python.ts';

it('has pydantic models that are those of the contracts', async () => {
  expect(await readFile(pythonFile, 'utf8'), 'run `npm run schemas`').toBe(pythonModels());
});
