/** Every workflow that a worker serves: the entry of the bundle. */
export { trainingRun } from './training-run.ts';
