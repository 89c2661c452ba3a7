/** The details of a run in Temporal's UI: what others wrote is shown as it is written, and makes no markup. */
import { expect, it } from 'vitest';
import type { LedgerEntry } from '../../contracts/checkpoint.ts';
import { runConfigSchema } from '../../contracts/run-config.ts';
import { code, plain } from '../../workflows/markdown.ts';
import { firstContext, type RunContext } from '../../workflows/run-context.ts';
import { beginStory, tell } from '../../workflows/run-story.ts';
import { detailsOf } from '../../workflows/run-view.ts';

const hostile =
  '](https://x) ![p](//x/y) <img src=x onerror=alert(1)> `c` **b** _i_ ~~s~~ | cell\n\n# head\u202e&lt;\\';

it('text stays on its line, and every character that Markdown knows is escaped', () => {
  const shown = plain(hostile);
  expect(shown).not.toMatch(/[\n\u202e]/);
  expect(shown.replaceAll(/\\[!-/:-@[-`{-~]/g, '')).not.toMatch(/[\\`*_~[\]<>()#|!&]/);
  expect(shown.replaceAll(/\\([!-/:-@[-`{-~])/g, '$1')).toBe(hostile.replace('\n\n', ' ').replace('\u202e', ' '));
  expect(plain('a trainer error, 3 of 4: loss 0.5')).toBe('a trainer error, 3 of 4: loss 0.5');
});

it('a path stays in its code span, whatever backticks it has', () => {
  expect(code('/store/a_b')).toBe('`/store/a_b`');
  expect(code('/a`b``c')).toBe('``` /a`b``c ```');
  expect(code('`')).toBe('`` ` ``');
  expect(code('/a\nb')).toBe('`/a b`');
});

it('metrics, notes, problems, failures and paths of a run have no markup', () => {
  const now = new Date('2026-01-01T00:00:00Z');
  const config = runConfigSchema.parse({ run: 'r', trainer: 't', epochs: 3 });
  const best: LedgerEntry = {
    ...{ name: 'epoch-0001', epoch: 1, batch: 0, createdAt: now.toISOString(), session: 's', files: [], host: 'h' },
    ...{ metrics: { [hostile]: 1 }, from: hostile, stored: true, reasons: ['best'] },
  };
  const context: RunContext = {
    ...firstContext({ run: 'r', draft: {}, isDraft: false }),
    plan: { config, best: { metric: hostile, mode: 'min' }, canShrinkBatch: false, outputFolder: `/${hostile}` },
    metrics: { [hostile]: 1 },
    ledger: [best],
    problems: [{ field: hostile, value: hostile, message: hostile }],
    failure: { kind: 'trainerError', message: hostile },
  };
  const story = tell(beginStory(now), hostile, now);
  const position = { state: 'training', detail: 'training.epoch' } as const;
  const details = detailsOf(context, story, position);
  const expected = [
    '###',
    '- \\*\\*',
    '- \\*\\*epoch',
    '- \\*\\*metrics',
    '- \\*\\*best',
    '- \\*\\*output',
    '- \\*\\*trouble',
    ...['', '\\| checkpoint ', '\\|---', '\\| epoch-0001 \\| best '],
    '',
    '- 00:00:00',
  ];
  const lines = details.split('\n');
  expect(lines).toHaveLength(expected.length);
  for (const [index, start] of expected.entries()) expect(lines[index]).toMatch(new RegExp(`^${start}`));
  // Outside of the code span nothing of it is left unescaped; the table has names of our own alone.
  expect(details.replace(code(`/${hostile}`), '').replaceAll(/^\|.*$/gm, '')).not.toMatch(/[^\\][[<!`|~]/);
});
