/**
 * Task queue names. Every process derives them from here, so that a worker, a workflow and the Temporal UI agree.
 */

/** Where `trainingRun` workflows are started. */
export const workflowQueue = 'epochal';

/** The queue of a pool of interchangeable workers: opens sessions, polled only while a slot is free. */
export const poolQueue = (pool: string): string => pool;

/** Light work that any worker of a pool can do at any time, also while all its slots are taken. */
export const poolControlQueue = (pool: string): string => `${pool}.control`;

/** Work on the run folders of one host: epochs, storing, publishing, cleaning up. */
export const hostQueue = (host: string): string => `host.${host}`;

/** Stop and status on one host: never waits behind an epoch. */
export const hostControlQueue = (host: string): string => `host.${host}.control`;

/** Of one host, not of a pool. */
export const isHostQueue = (queue: string): boolean => queue.startsWith('host.');

/** Whose queue `hostQueue` or `hostControlQueue` named; null for one of a pool. */
export const hostOfQueue = (queue: string): string | null => /^host\.(.+?)(\.control)?$/.exec(queue)?.[1] ?? null;
