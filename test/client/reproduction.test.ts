/** A run started again from its receipt: what is compared, what is unknown, and what is refused. */
import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { reproductionLines } from '../../client/cli/reproduce-command.ts';
import { NoWorkerError } from '../../client/errors.ts';
import { parseConfig } from '../../client/parse-config.ts';
import type { MaterialsAnswer } from '../../client/pool-hosts.ts';
import { differencesOf, isExact, planReproduction, reproduced } from '../../client/reproduction.ts';
import { RunFiles } from '../../client/run-files.ts';
import { placesIn } from '../../client/run-places.ts';
import type { Materials } from '../../contracts/receipt-facts.ts';
import type { RunConfigInput } from '../../contracts/run-config.ts';
import type { RunView } from '../../contracts/run-messages.ts';

const digest = (text: string) => createHash('sha256').update(text).digest('hex');
const packages = 'numpy==2.0\ntorch==2.6\n';
const code = { commit: 'c'.repeat(40), branch: 'main', isDirty: false, diff: null };
const materials: Materials = {
  ...{ trainer: digest('t'), environment: null, sdk: digest('s'), config: digest('c'), data: digest('d'), from: null },
  ...{ code, entry: digest('e'), packages: digest(packages), driver: null },
};
const dirty = (sha256: string, more: object = {}) => ({
  ...{ ...code, isDirty: true, diff: { sha256, isTruncated: false, withheld: 0, ...more } },
});
const between = (was: Partial<Materials>, is: Partial<Materials>, now: string | null = packages) =>
  differencesOf(
    { materials: { ...materials, ...was }, packages },
    { materials: { ...materials, ...is }, packages: now },
  );

it('nothing differs where all of it is known to be the same', () => {
  expect(between({}, {})).toEqual([]);
  expect(between({ code: dirty('a') }, { code: dirty('a') })).toEqual([]);
  // No repository, no lock file and no GPU on both sides is the same.
  expect(between({ code: null }, { code: null })).toEqual([]);
  expect(between({}, { config: null, data: null })).toEqual([]);
});

it('each difference is told, and what is unknown is one', () => {
  const other = { commit: 'f'.repeat(40), branch: null, isDirty: false, diff: null };
  expect(between({}, { code: other })).toEqual([{ what: 'commit', was: code.commit, is: other.commit }]);
  expect(between({ code: null }, { code: other })).toEqual([
    { what: 'commit', was: null, is: other.commit },
    { what: 'changes', was: null, is: 'none' },
  ]);
  expect(between({}, { code: dirty('a') })).toEqual([{ what: 'changes', was: 'none', is: 'a' }]);
  // Recorded by neither, or not whole on the host: as good as different.
  const unrecorded = { ...code, isDirty: true, diff: null };
  expect(between({ code: unrecorded }, { code: unrecorded })).toEqual([{ what: 'changes', was: null, is: null }]);
  const cut = dirty('a', { isTruncated: true });
  expect(between({ code: dirty('a') }, { code: cut })).toEqual([{ what: 'changes', was: 'a', is: null }]);
  const secret = dirty('a', { withheld: 1 });
  expect(between({ code: secret }, { code: secret })).toEqual([{ what: 'withheld', was: null, is: null }]);
  for (const what of ['entry', 'trainer', 'sdk'] as const) {
    expect(between({}, { [what]: digest('x') })).toEqual([{ what, was: materials[what], is: digest('x') }]);
    expect(between({ [what]: null }, { [what]: null })).toEqual([{ what, was: null, is: null }]);
  }
  for (const what of ['environment', 'driver'] as const)
    expect(between({ [what]: null }, { [what]: 'x' })).toEqual([{ what, was: null, is: 'x' }]);
  // What is in an image is known by its id.
  const [image, unlisted] = ['i', { packages: null }];
  expect(between({ ...unlisted, image }, { ...unlisted, image }, null)).toEqual([]);
  expect(between({}, { ...unlisted, image }, null).map(({ what }) => what)).toEqual(['packages', 'image']);
  // A receipt of old tells neither.
  const { driver: _, code: __, ...old } = materials;
  expect(differencesOf({ materials: old, packages }, { materials, packages }).map(({ what }) => what)).toEqual([
    ...['commit', 'changes', 'driver'],
  ]);
});

it('of packages those are named that differ', () => {
  const now = 'torch==2.7\npillow==11\n';
  expect(between({}, { packages: digest(now) }, now)).toEqual([
    { what: 'packages', was: 'numpy==2.0', is: 'no numpy' },
    { what: 'packages', was: 'no pillow', is: 'pillow==11' },
    { what: 'packages', was: 'torch==2.6', is: 'torch==2.7' },
  ]);
  // Not installed there.
  expect(between({}, { packages: null }, null)).toEqual([{ what: 'packages', was: digest(packages), is: null }]);
});

const from = { run: 'z', life: null, checkpoint: 'epoch-0007', sha256: digest('z') };
const config: RunConfigInput = { run: 'a', trainer: 'counter', epochs: 4, seed: 5, pool: 'gpu', code: 'diff' };
const viewOf = (more: object = {}, facts: Partial<Materials> | null = {}) =>
  ({
    ...{ run: 'a', state: 'stopped', config, checkpoints: [], session: null },
    outputFolder: '/store/experiments/default/a',
    receipt: { materials: facts && { ...materials, ...facts } },
    ...more,
  }) as unknown as RunView;

/** A service whose hosts answer what they are told to; the run's own files are those of `list`. */
function service(view: RunView, { list = packages, split = digest('d') } = {}) {
  const asked: unknown[] = [];
  const files = new RunFiles({
    ask: async ({ activity, answer }) =>
      answer.parse(activity === 'sizeOfRunFile' ? list.length : new Uint8Array(Buffer.from(list))),
  });
  const client = {
    files,
    view: async () => view,
    places: async () => placesIn(view, view.run),
    check: async (given: unknown) => {
      asked.push(given);
      return {
        config: { run: 'b', ...parseConfig(given) },
        dataReport: { splitSha256: split } as never,
      };
    },
  };
  const plan = (answers: MaterialsAnswer[], as?: string) =>
    planReproduction(client, 'a', {
      as,
      ask: async (question) => {
        asked.push(question);
        return answers;
      },
    });
  return { plan, asked };
}
const answering = (host: string, is: Partial<Materials> = {}, now = packages): MaterialsAnswer => ({
  ...{ host, ok: true, found: { host, materials: { ...materials, ...is }, packages: now } },
});

it('the same configuration is checked, and every host of the pool is asked for what it has now', async () => {
  const { plan, asked } = service(viewOf());
  const exact = await plan([answering('one')]);
  expect(exact).toMatchObject({ differences: [], hosts: [{ host: 'one', ok: true, differences: [] }] });
  expect(exact.config).toMatchObject({ run: 'b', trainer: 'counter', epochs: 4, seed: 5 });
  expect(asked[0]).not.toHaveProperty('run');
  expect(asked[1]).toEqual({ pool: 'gpu', trainer: 'counter', code: 'diff' });
  expect(isExact(exact)).toBe(true);
  expect(reproductionLines('a', exact)).toEqual(['one: nothing differs']);
  expect((await plan([], 'mine')).config.run).toBe('mine');

  const now = 'numpy==2.0\ntorch==2.7\n';
  const mixed = await plan([
    answering('one', { code: dirty(digest('x')), packages: digest(now) }, now),
    { host: 'two', ok: false, problem: 'host two does not answer' },
  ]);
  expect(isExact(mixed)).toBe(false);
  expect(reproductionLines('a', mixed)).toEqual([
    'one:',
    `  uncommitted changes: none → ${digest('x').slice(0, 12)}`,
    '  package: torch==2.6 → torch==2.7',
    'two: not known: host two does not answer',
    `the code of a: "git checkout ${code.commit}"`,
  ]);
  // Nobody answers: nothing is known.
  const silent = await plan([]);
  expect(isExact(silent)).toBe(false);
  expect(reproductionLines('a', silent)).toEqual(['no host of pool gpu says what it would train with']);
});

it('another split of the data set is told, and a list of packages that is not the run’s is not believed', async () => {
  const other = await service(viewOf(), { split: digest('other') }).plan([answering('one')]);
  expect(isExact(other)).toBe(false);
  expect(reproductionLines('a', other)[0]).toBe(
    `split of the data set: ${digest('d').slice(0, 12)} → ${digest('other').slice(0, 12)}`,
  );
  const now = 'torch==2.7\n';
  const forged = await service(viewOf(), { list: 'torch==2.5\n' }).plan([
    answering('one', { packages: digest(now) }, now),
  ]);
  expect(forged.hosts[0]).toMatchObject({
    ...{ differences: [{ what: 'packages', was: digest(packages), is: digest(now) }] },
  });
});

it('is refused where the changes are truncated, the run is not over, or its receipt tells nothing', async () => {
  const refused = async (view: RunView) => {
    const { plan, asked } = service(view);
    await expect(plan([])).rejects.toMatchObject({ name: 'WrongStateError' });
    expect(asked).toEqual([]);
    return plan([]).catch(({ message }: Error) => message);
  };
  expect(await refused(viewOf({}, { code: dirty('a', { isTruncated: true }) }))).toMatch(/its code\.diff is truncated/);
  expect(await refused(viewOf({ state: 'training', receipt: null }))).toMatch(/run a is not over \(training\)/);
  expect(await refused(viewOf({ receipt: null }))).toMatch(/run a has no receipt/);
  expect(await refused(viewOf({ receipt: {} }))).toMatch(/does not tell what it is made of/);
  // Where its changes are whole, how to make them is said.
  const { plan } = service(viewOf({}, { code: dirty(digest('x')) }));
  expect(reproductionLines('a', await plan([answering('one')])).at(-1)).toBe(
    `the code of a: "git checkout ${code.commit}", then "git apply code.diff" (epochal cp a:code.diff .)`,
  );
});

it('continues the very checkpoint that the run continued', () => {
  const continued = { ...config, continueFrom: { outputFolder: '/z', checkpoint: 'best', keepProgress: true } };
  expect(reproduced(viewOf({ config: continued }), { from })).toMatchObject({
    continueFrom: { outputFolder: '/z', checkpoint: 'epoch-0007', keepProgress: true },
  });
  expect(reproduced(viewOf({ config: continued }), { from: null }).continueFrom?.checkpoint).toBe('best');
  expect(reproduced(viewOf(), { from: null })).not.toHaveProperty('continueFrom');
});

it('a list of packages that nobody can read now leaves their digests', async () => {
  const view = viewOf();
  const files = new RunFiles({ ask: () => Promise.reject(new NoWorkerError('nobody')) });
  const client = {
    files,
    view: async () => view,
    places: async () => placesIn(view, 'a'),
    check: async () => ({ config: parseConfig(config) }),
  };
  const now = 'torch==2.7\n';
  const ask = async () => [answering('one', { packages: digest(now) }, now)];
  expect((await planReproduction(client, 'a', { ask })).hosts[0]).toMatchObject({
    ...{ differences: [{ what: 'packages', was: digest(packages), is: digest(now) }] },
  });
});
