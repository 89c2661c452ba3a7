/** Which GPUs a slot's trainer sees. */
import { expect, it } from 'vitest';
import { Devices } from '../../worker/devices.ts';

const devices = (count: number) =>
  new Devices(Array.from({ length: count }, (_, index) => ({ index, name: '', memoryBytes: 1, usedBytes: 0 })));

it.each([
  [4, 4, ['0', '1', '2', '3']],
  [4, 1, ['0,1,2,3']],
  [4, 2, ['0,2', '1,3']],
  [3, 2, ['0,2', '1']],
  [2, 5, ['0', '1', '0', '1', '0']],
  [0, 2, [undefined, undefined]],
])('%i GPUs among %i slots', (gpus, slots, expected) => {
  const seen = Array.from(
    { length: slots },
    (_, index) => devices(gpus).environment({ index }, slots).CUDA_VISIBLE_DEVICES,
  );
  expect(seen).toEqual(expected);
});
