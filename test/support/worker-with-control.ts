/** A worker and what serves its workflows, in this process, as `epochal worker --with-control`. */
import { startControl } from '../../server/workflows/control.ts';
import type { RunMetrics } from '../../server/workflows/run-metrics.ts';
import { type RunningWorker, type StartOptions, startWorker } from '../../worker/main.ts';

/** Without a version: what the Worker Deployment does has tests of its own, and every queue of a test would have one. */
export function startWorkerWithControl({
  metrics,
  ...options
}: StartOptions & { metrics?: RunMetrics }): Promise<RunningWorker> {
  const { log, temporal, conversion, settings } = options;
  const { cacheFolder, workflowQueue } = settings;
  const control = () =>
    startControl({
      ...{ log, cacheFolder, workflowQueue, isVersioned: false, signal: new AbortController().signal },
      ...(temporal ? { temporal } : {}),
      ...(conversion ? { conversion } : {}),
      ...(metrics ? { metrics } : {}),
    });
  return startWorker({ ...options, control, ...(metrics ? { counted: [metrics.exposed] } : {}) });
}
