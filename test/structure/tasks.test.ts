/** What `docs/architecture.md` says of where things are added: each file is there, and no task needs more than two. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** What the placeholder stands for in a file that is there. */
const examples: Readonly<Record<string, string>> = {
  'stores/<scheme>-store.ts': 'stores/file-store.ts',
  'trainers/<name>/trainer.py': 'trainers/digits/trainer.py',
  'observers/<name>.ts': 'observers/webhook.ts',
};

it('names the files of ten tasks for a stranger', async () => {
  const text = await readFile(join(root, 'docs', 'architecture.md'), 'utf8');
  const section = text.split('\n## ').find((one) => one.startsWith('Ten tasks for a stranger')) ?? '';
  const tasks = [...section.matchAll(/^\| ([^|]+) \| (`[^|]+`) \|/gm)].map(([, task = '', files = '']) => ({
    task,
    files: [...files.matchAll(/`([^`]+)`/g)].map(([, file = '']) => file),
  }));
  expect(tasks).toHaveLength(10);
  for (const { task, files } of tasks) {
    expect(files.length, task).toBeLessThanOrEqual(2);
    for (const file of files) expect(existsSync(join(root, examples[file] ?? file)), `${task}: ${file}`).toBe(true);
  }
});
