/** Brings events of a run to one of its observers. */
import { isWanted } from '../contracts/observed-events.ts';
import type { RunActivities } from '../contracts/run-activities.ts';
import { outputPath } from '../stores/artifact-store.ts';
import { claimOutput } from '../worker/claims.ts';
import type { Host } from '../worker/host.ts';
import { withStore, working } from './activity-support.ts';

export const tellObserver =
  (host: Host): RunActivities['tellObserver'] =>
  ({ run, place, chain, config, observer, namesFailed, events }) =>
    working(`tell ${observer ?? 'all observers'}`, async (signal) => {
      const log = host.log.child({ run });
      const folder = outputPath(config.project, place);
      const output = async () => {
        const store = await host.stores.of(config);
        await claimOutput(store, folder, run, host.runs.life(chain));
        return { store, folder };
      };
      const tell = async (name: string): Promise<number> => {
        const one = host.observers.get(name, config);
        const wanted = events.filter((event) => isWanted(event, one.kinds));
        let told = 0;
        const delivery = {
          signal,
          onTold: (seq: number) => (told = seq),
          onRefused: ({ id, kind }: (typeof events)[number], why: string) => {
            host.metrics.delivered(name, 'refused');
            log.warn({ observer: name, id, kind, why }, 'an observer does not take an event');
          },
        };
        try {
          // One at a time: what an attempt that was given up still writes must not go over what the next one has written.
          const { project, trainer, epochs } = config;
          const { moving } = host.folders;
          const execution = chain.at(-1) ?? null;
          const observed = { run, place, execution, config, project, trainer, epochs, output, moving };
          await host.outputs.runExclusive(`${place} ${name}`, signal, () => one.tell(wanted, observed, delivery));
        } catch (error) {
          host.metrics.delivered(name, 'failed');
          // What it has heard of is not told again.
          if (told === 0 || signal.aborted) throw error;
          log.warn({ err: error, observer: name }, 'an observer was told of a part');
          return told;
        }
        host.metrics.delivered(name, 'told');
        // It may have stopped on the way; who was told of all that it wants has been told of everything.
        const isWhole = told >= (wanted.at(-1)?.seq ?? 0);
        return (isWhole ? events.at(-1)?.seq : null) ?? told;
      };
      if (observer !== null) return { told: await withStore(() => tell(observer)) };
      const names = host.observers.of(config).map(({ name }) => name);
      if (!namesFailed)
        return { told: Math.min(...(await Promise.all(names.map((name) => withStore(() => tell(name)))))) };
      const last = events.at(-1)?.seq ?? 1;
      const told = await Promise.all(
        names.map((name) =>
          tell(name).catch((error: unknown) => {
            signal.throwIfAborted();
            log.warn({ err: error, observer: name }, 'an observer was not told');
            return 0;
          }),
        ),
      );
      return { told: last, failed: names.filter((_, index) => (told[index] ?? 0) < last) };
    });
