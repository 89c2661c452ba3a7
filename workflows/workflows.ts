/** Every workflow that a worker serves: the entry of the bundle. */
export { salvage, sweep } from './salvage.ts';
export { trainingRun } from './training-run.ts';
