/** Tells the process that serves the workflow what each change adds to what is counted of all runs. No history has it. */
import * as wf from '@temporalio/workflow';
import type { RunSinks } from '../contracts/run-measures.ts';
import { measureOf, type PlainChange } from './run-measures.ts';

export type { PlainChange } from './run-measures.ts';

const { runs } = wf.proxySinks<RunSinks>();

export class RunMeter {
  #since: Date;

  /** What was before `since` is not counted: after a renewal, the workflow run before this one has done that. */
  constructor(since: Date) {
    this.#since = since;
  }

  note(change: PlainChange, stateSince: string): void {
    const measure = measureOf(change, { since: this.#since, stateSince: new Date(stateSince) });
    this.#since = change.now;
    if (measure) runs.measured(measure);
  }
}
