/** Requirements with hashes: installed apart from the others, and the same versions as those that a person wrote. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { readRequirementsFile } from '../../worker/python-environments.ts';
import { requirementsLists, withoutHashes } from '../../worker/requirements-lists.ts';

const trainers = fileURLToPath(new URL('../../trainers', import.meta.url));

it('those with hashes are a list of their own, with whatever tells where packages are', () => {
  const hashed = 'a==1; python_version < "3.11" --hash=sha256:0 --hash=sha256:1';
  const lines = [
    'pydantic>=2',
    '--extra-index-url https://example.org/cpu',
    'torch==2',
    hashed,
    'b==1 --hash=sha256:2',
  ];
  expect(requirementsLists(lines)).toEqual({
    hashed: [lines[1], hashed, lines[4]],
    others: lines.slice(0, 3),
  });
  expect(requirementsLists(lines.slice(0, 3)).hashed).toEqual([]);
  expect(withoutHashes(hashed)).toBe('a==1; python_version < "3.11"');
});

it('a lock has every package of its list in the version there, and each file by a sha256', async () => {
  const locked = (await readdir(trainers)).filter((name) => existsSync(join(trainers, name, 'requirements.lock')));
  expect(locked).toEqual(['digits', 'hrda', 'lightning', 'mmdetection', 'pytorch', 'transformers', 'yolov8']);
  for (const trainer of locked) {
    const file = join(trainers, trainer, 'requirements.txt');
    const { hashed, others } = requirementsLists(await readRequirementsFile(file));
    const pins = hashed.map((line) => withoutHashes(line).split(/[\s;]/)[0]);
    for (const line of hashed) expect(line).toMatch(/^[a-z0-9-]+==\S+( ; [^-]*)?( {1,}--hash=sha256:[0-9a-f]{64})+$/);
    // Torch has other files in each of its indexes, and needs Python 3.11.
    const mustHaveHashes = others.filter((line) => !/^torch(vision)?==/.test(line));
    const isOld = (line: string) => trainer !== 'digits' && /python_version < "3\.11"/.test(line);
    for (const line of mustHaveHashes.filter((one) => !isOld(one)))
      expect(pins, `${trainer}: ${line}`).toContain(line.split(/[\s;]/)[0]?.toLowerCase());
    // Neither names where it was made.
    expect(await readFile(file.replace('.txt', '.lock'), 'utf8')).not.toMatch(/:\/\/|index-url/);
  }
});
