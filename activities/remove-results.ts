/** Removes what a run has in its store, for somebody who wants it gone. Nobody else ever removes an output folder. */
import { ApplicationFailure } from '@temporalio/activity';
import { problemSentence } from '../contracts/failure.ts';
import { isSameLife, runAt } from '../contracts/life.ts';
import { removeResultsSchema } from '../contracts/run-files.ts';
import { failureTypes } from '../contracts/run-messages.ts';
import { outputPath } from '../stores/artifact-store.ts';
import { OtherLife, outputOwner } from '../worker/claims.ts';
import type { Host } from '../worker/host.ts';
import { withStore, working } from './activity-support.ts';

/** Answers whether there was anything. Refuses the files of a life that is not over, and throws OtherLife for those of another one. */
export const removeResults =
  (host: Host) =>
  (input: unknown): Promise<boolean> => {
    const { place, storeIdentity, chain } = removeResultsSchema.parse(input);
    const life = host.runs.life(chain);
    return working('remove the results', (signal) =>
      host.outputs.runExclusive(place.run, signal, () =>
        withStore(async () => {
          if (await host.runs.isOpen(runAt(place.run), life))
            throw refusal(`run is ${JSON.stringify(place.run)}: it is not over, and its results are still written`);
          const chosen = place.store === null ? {} : { store: place.store };
          const [outside] = await host.allowedPaths.storeProblems(chosen);
          if (outside) throw refusal(problemSentence(outside));
          const store = await host.stores.of({
            ...chosen,
            ...(storeIdentity === null ? {} : { storeIdentity }),
          });
          const output = outputPath(place.project, place.run);
          const owner = await outputOwner(store, output);
          if (owner === null) return false;
          if (!isSameLife(owner, life)) throw new OtherLife(`${store.address}/${output}`, owner);
          await store.remove(output);
          return true;
        }),
      ),
    );
  };

const refusal = (message: string) =>
  ApplicationFailure.create({ type: failureTypes.invalid, message, nonRetryable: true });
