/** What the commands of `epochal store` have in common. */
import type { ArtifactStore } from '../../stores/artifact-store.ts';
import type { StoredRun } from '../../stores/stored-runs.ts';
import { ConfigError } from '../errors.ts';

export const storeArgument = {
  type: 'string',
  demandOption: true,
  describe:
    'An absolute path, a file: address, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or teamfiles:/FOLDER',
} as const;

export const whichRuns = {
  type: 'string',
  array: true,
  default: [] as string[],
  describe: 'PROJECT or PROJECT/RUN; omitted: all',
  coerce: (values: string[]) => values.map(chosenRun),
} as const;

/** As `store ls` prints them: a project, a run in it, or one of the lives of that. */
function chosenRun(value: string): string {
  const [project = '', place, ...more] = value.split('/');
  if (more.length === 0 && [project, place ?? 'run'].every((part) => namePart.test(part) && !part.includes('..')))
    return value;
  throw new ConfigError([], {
    message: `run is ${JSON.stringify(value)}: must be PROJECT or PROJECT/RUN, as "epochal store ls" prints them`,
  });
}
const namePart = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(@[0-9a-f]{8})?$/;

/** One that is there. Throws ConfigError where no store has such an address, and StoreError where it is unavailable. */
export async function opened(argument: string, address: string): Promise<ArtifactStore> {
  const store = await open(argument, address);
  await store.identity();
  return store;
}

/** One that may still have to be made, and is another one than `from`. */
export async function openedToWrite(argument: string, address: string, from: ArtifactStore): Promise<ArtifactStore> {
  const store = await open(argument, address);
  if (store.address === from.address)
    throw new ConfigError([], { message: `${argument} is ${JSON.stringify(address)}: it is the same store as from` });
  return store;
}

async function open(argument: string, address: string): Promise<ArtifactStore> {
  // Its clients take a while to load, and other commands need none.
  const { openStore } = await import('../../stores/open-store.ts');
  const { StoreError } = await import('../../stores/artifact-store.ts');
  try {
    return openStore(address);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const { hasCredentials } = await import('../../contracts/run-config.ts');
    // An address may have credentials in it, and is not repeated then.
    const shown = /@/.test(address) || hasCredentials(address) ? '' : ` is ${JSON.stringify(address)}`;
    throw new ConfigError([], { message: `${argument}${shown}: ${error.message}`, cause: error });
  }
}

/** Throws ConfigError for one that was chosen and is not there. */
export async function* runsOf(store: ArtifactStore, chosen: readonly string[]): AsyncGenerator<StoredRun> {
  const { NotInStoreError, storedRuns } = await import('../../stores/stored-runs.ts');
  try {
    yield* storedRuns(store, chosen);
  } catch (error) {
    if (!(error instanceof NotInStoreError)) throw error;
    throw new ConfigError([], { message: `run is ${JSON.stringify(error.chosen)}: ${error.message}`, cause: error });
  }
}

export const fileCount = (count: number): string => `${count} ${count === 1 ? 'file' : 'files'}`;
