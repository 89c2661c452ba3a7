/** What is wrong with a configuration is said alike by zod, here, and by pydantic: `test/trainers/sdk/test_sentences.py`. */
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { problemsOf } from '../../contracts/config-problems.ts';
import { problemSentence } from '../../contracts/failure.ts';

const caseSchema = z.strictObject({
  type: z.enum(['int', 'float', 'bool', 'text', 'numbers', 'choice', 'unknown', 'unlike']),
  rules: z.record(z.string(), z.number()).default({}),
  value: z.json(),
  says: z.string(),
});
type Case = z.infer<typeof caseSchema>;

const cases = z
  .array(caseSchema)
  .parse(JSON.parse(await readFile(new URL('./sentences.json', import.meta.url), 'utf8')));

function fieldOf({ type, rules }: Case): z.ZodType {
  const bounds = Object.entries(rules);
  const number = (field: z.ZodNumber) =>
    bounds.reduce((bounded, [rule, limit]) => {
      if (rule === 'ge') return bounded.min(limit);
      if (rule === 'le') return bounded.max(limit);
      if (rule === 'gt') return bounded.gt(limit);
      return rule === 'lt' ? bounded.lt(limit) : bounded.multipleOf(limit);
    }, field);
  const sized = <T extends z.ZodString | z.ZodArray<z.ZodInt>>(field: T): T =>
    bounds.reduce(
      (bounded, [rule, limit]) => (rule === 'min_length' ? bounded.min(limit) : bounded.max(limit)) as T,
      field,
    );
  switch (type) {
    case 'float':
      return number(z.number());
    case 'bool':
      return z.boolean();
    case 'text':
      return sized(z.string());
    case 'numbers':
      return sized(z.array(z.int()));
    case 'choice':
      return z.enum(['a', 'b']);
    default:
      return number(z.int());
  }
}

it.each(cases)('$says', (one) => {
  const schema = z.strictObject({ width: fieldOf(one) });
  const input =
    one.type === 'unknown'
      ? { width: 1, widht: one.value }
      : one.type === 'unlike'
        ? { width: 1, quite_other: one.value }
        : { width: one.value };
  const { error } = schema.safeParse(input);
  expect(error && problemsOf(error, input, schema).map(problemSentence)).toEqual([one.says]);
});
