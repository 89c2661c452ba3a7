/** What a list says of a trainer that cannot tell its manifest: one sentence, not a traceback. */
import { expect, test } from 'vitest';
import { pythonError } from '../../worker/trainer-catalog.ts';

const file = '/trainers/mine/trainer.py';

test('the exception of the last traceback, and the line of the trainer that led there', () => {
  const output = `a warning of some package
Traceback (most recent call last):
  File "/trainers/mine/trainer.py", line 3, in <module>
    import missing
ModuleNotFoundError: No module named 'missing'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/trainers/mine/trainer.py", line 20, in <module>
    trainer = epochal.Trainer(
              ^^^^^^^^^^^^^^^^
  File "/sdk/epochal/trainer.py", line 93, in __post_init__
    raise TypeError("datasets of mine has 'coco'")
TypeError: datasets of mine has 'coco'
of several lines
`;
  expect(pythonError(output, file)).toBe("TypeError: datasets of mine has 'coco' (line 20 of trainer.py)");
});

test('a file that is no Python has no traceback, and a program may say nothing at all', () => {
  const output = `  File "${file}", line 7\n    def train(app:\n             ^\nSyntaxError: '(' was never closed\n`;
  expect(pythonError(output, file)).toBe("SyntaxError: '(' was never closed (line 7 of trainer.py)");
  expect(pythonError('Killed\n\n', file)).toBe('Killed');
  expect(pythonError('', file)).toBe('it printed nothing');
});
