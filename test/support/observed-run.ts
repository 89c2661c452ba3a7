/** A run as an observer is told of it, whose store nobody asks. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runConfigSchema } from '../../contracts/run-config.ts';
import type { ObservedRun } from '../../observers/observer.ts';

export const observedRun = (run: string, differs: Partial<ObservedRun> = {}): ObservedRun => ({
  ...{ run, place: run, execution: 'first', project: 'p', trainer: 't', epochs: 3 },
  config: runConfigSchema.parse({ run, project: 'p', trainer: 't', epochs: 3 }),
  output: () => Promise.reject(new Error('nobody asks')),
  moving: join(tmpdir(), 'epochal-moving'),
  ...differs,
});
