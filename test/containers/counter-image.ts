/** An engine, and the image of the counting trainer: for the tests of faults with trainers in containers. */
import { makeCounterImage } from './contained.ts';
import { setup as startEngine } from './engine.ts';

/** Called by vitest before the tests; answers what ends the engine that it started. */
export async function setup(): Promise<() => Promise<void>> {
  const stop = await startEngine();
  try {
    await makeCounterImage();
    return stop;
  } catch (error) {
    await stop();
    throw error;
  }
}
