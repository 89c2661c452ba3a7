/** What tests of stores in trouble look at. */
import { expect } from 'vitest';
import { StoreError } from '../../../stores/artifact-store.ts';
import type { Seen } from './fault-proxy.ts';

/** The StoreError that `work` throws. */
export const errorOf = (work: Promise<unknown>): Promise<StoreError> =>
  work.then(
    () => expect.fail('nothing was thrown'),
    (thrown: unknown) => {
      expect(thrown).toBeInstanceOf(StoreError);
      return thrown as StoreError;
    },
  );

/** Bytes of the bodies that were sent, the most first. */
export const sizesOf = (seen: readonly Seen[]) => seen.map(({ sent }) => sent).sort((a, b) => b - a);
