/** Every workflow that a worker serves: the entry of the bundle. */
// `sweep` is what `reconcile` was called: a Schedule of an older version may have started one.
export { reconcile, reconcile as sweep, salvage } from './salvage.ts';
export { tellLater } from './tell-later.ts';
export { trainingRun } from './training-run.ts';
