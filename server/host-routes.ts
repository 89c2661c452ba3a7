/** Routes about hosts: what they do, and the run folders that they still have. */
import { NoWorkerError, WorkerFailedError } from '../client/errors.ts';
import type { KeptFolder } from '../contracts/host-messages.ts';
import type { Answer } from '../contracts/http-api.ts';
import type { HostsSeen } from './hosts-seen.ts';
import type { Handle } from './routes.ts';
import type { TemporalLink } from './temporal-link.ts';

export function hostRoutes(handle: Handle, link: TemporalLink, hosts: HostsSeen): void {
  handle('hosts', async () => hosts.all(await link.backend()));

  handle('keptFolders', async () => {
    const backend = await link.backend();
    const seen = await hosts.all(backend);
    const answers = await Promise.all(
      seen.map(async ({ host, status, problem }) =>
        status === null ? silent(host, problem ?? '') : whatIsKept(host, () => backend.workers.keptFolders(host)),
      ),
    );
    return {
      folders: answers.flatMap(({ folders }) => folders),
      asked: answers.flatMap(({ asked }) => asked),
      silent: answers.flatMap((answer) => answer.silent),
    };
  });

  handle('removeKept', async ({ params }) => {
    const { training } = await link.backend();
    await training.removeKept(params.host, params.run);
    return { removed: true as const };
  });

  handle('publishKept', async ({ params }) => {
    const { training } = await link.backend();
    return { salvage: await training.publishKept(params.host, params.run) };
  });
}

type Kept = Answer<'keptFolders'>;

const silent = (host: string, problem: string): Kept => ({ folders: [], asked: [], silent: [{ host, problem }] });

async function whatIsKept(host: string, ask: () => Promise<KeptFolder[]>): Promise<Kept> {
  try {
    return { folders: await ask(), asked: [host], silent: [] };
  } catch (error) {
    if (!(error instanceof NoWorkerError || error instanceof WorkerFailedError)) throw error;
    return silent(host, error.message);
  }
}
