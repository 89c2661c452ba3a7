/** What the workflow believes of an activity's answer, and which of its errors are the last word. */
import { ActivityFailure, ApplicationFailure, TimeoutFailure, TimeoutType } from '@temporalio/common';
import { expect, it } from 'vitest';
import { keptCheckpointsSchema, noFreeSlotType, sessionFailedType } from '../../contracts/run-activities.ts';
import { answerOf } from '../../workflows/answers.ts';
import { payloadConverter, Undecodable } from '../../workflows/payload-converter.ts';
import { failureOf, isUnexpected } from '../../workflows/session-failures.ts';

const kept = { stored: ['epoch-0001'], removed: [], damaged: [], bytes: 7 };

it('keeps what a later version tells beside what is known', async () => {
  const answer = { ...kept, seconds: 2 };
  expect(await answerOf('keepCheckpoints', keptCheckpointsSchema, async () => answer)).toEqual(answer);
});

it.each([
  ['a session that ended', ApplicationFailure.create({ type: sessionFailedType })],
  ['no free slot', ApplicationFailure.create({ type: noFreeSlotType })],
  ['a store that is away', ApplicationFailure.create({ type: 'store', details: [{ kind: 'store', message: 'away' }] })],
  ['a host that is silent', new TimeoutFailure('no heartbeat', undefined, TimeoutType.HEARTBEAT)],
])('believes an activity that tells of %s, and does not ask again', async (_, cause) => {
  const failure = new ActivityFailure('failed', 'trainEpoch', 'id', 'NON_RETRYABLE_FAILURE', 'worker', cause);
  const asked = answerOf('trainEpoch', keptCheckpointsSchema, () => Promise.reject(failure));
  await expect(asked).rejects.toBe(failure);
});

it('tells what kept an activity from succeeding until its time was up, and not the time alone', () => {
  const away = { kind: 'store', message: 'the store is away' } as const;
  const cause = new TimeoutFailure('no time left', undefined, TimeoutType.SCHEDULE_TO_CLOSE);
  expect(failureOf(cause)).toMatchObject({ kind: 'hostLost' });
  Object.assign(cause, { cause: ApplicationFailure.create({ type: 'store', details: [away] }) });
  expect(failureOf(new ActivityFailure('failed', 'publish', 'id', 'TIMEOUT', 'w', cause))).toEqual(away);
});

it.each([
  ['by hand', ApplicationFailure.create({ message: 'failed by hand', nonRetryable: true })],
  ['by its worker', ApplicationFailure.fromError(new Error('EMFILE: too many open files'))],
])('does not take an activity that was failed %s for the end of anything', (_, cause) => {
  expect(isUnexpected(new ActivityFailure('failed', 'trainEpoch', 'id', 'NON_RETRYABLE_FAILURE', 'w', cause))).toBe(
    true,
  );
});

it.each([
  ['no encoding', {}],
  ['an encoding that nobody knows', { metadata: { encoding: Buffer.from('binary/other') }, data: Buffer.from('x') }],
  ['broken JSON', { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('{') }],
])('reads a payload with %s as a value that no schema accepts', (_, payload) => {
  const value = payloadConverter.fromPayload(payload);
  expect(value).toBeInstanceOf(Undecodable);
  expect(keptCheckpointsSchema.safeParse(value).success).toBe(false);
});
