/** Brings events of a run to one of its observers. */
import type { RunActivities } from '../contracts/run-activities.ts';
import { outputPath } from '../stores/artifact-store.ts';
import { claimOutput } from '../worker/claims.ts';
import type { Host } from '../worker/host.ts';
import { withStore, working } from './activity-support.ts';

export const tellObserver =
  (host: Host): RunActivities['tellObserver'] =>
  ({ run, place, chain, config, observer, events }) =>
    working(`tell ${observer ?? 'all observers'}`, async (signal) => {
      const store = await host.stores.of(config);
      const output = outputPath(config.project, place);
      await withStore(() => claimOutput(store, output, run, host.runs.life(chain)));
      const tell = async (name: string): Promise<number> => {
        let told = 0;
        const onTold = (seq: number) => (told = seq);
        // One at a time: what an attempt that was given up still writes must not go over what the next one has written.
        const done = host.outputs.take(`${place} ${name}`, signal, () =>
          host.observers.get(name).tell(events, { run, store, output }, { signal, onTold }),
        );
        await done.catch((error) => {
          // What it has heard of is not told again.
          if (told === 0 || signal.aborted) throw error;
          host.log.warn({ err: error, run, observer: name }, 'an observer was told of a part');
        });
        return told;
      };
      const names = observer === null ? host.observers.names : [observer];
      return { told: Math.min(...(await Promise.all(names.map((name) => withStore(() => tell(name)))))) };
    });
