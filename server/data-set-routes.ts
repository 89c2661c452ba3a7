/** Routes about the data sets that the workers offer. */
import { DataSets } from '../client/data-sets.ts';
import { NoWorkerError, WorkerFailedError } from '../client/errors.ts';
import type { DataSetSummary } from '../contracts/data-set.ts';
import type { Answer } from '../contracts/http-api.ts';
import { AnswerCache } from './answer-cache.ts';
import { sendBytes } from './file-routes.ts';
import type { HostsSeen } from './hosts-seen.ts';
import { fileHeaders, isImage } from './media-types.ts';
import { RefusedError } from './refusals.ts';
import type { Handle } from './routes.ts';
import type { TemporalLink } from './temporal-link.ts';

const largestImage = 64 * 1024 * 1024;

export function dataSetRoutes(handle: Handle, link: TemporalLink, hosts: HostsSeen, defaultPool: string): void {
  const listed = new AnswerCache<DataSetSummary[]>(5_000);
  const dataSets = async () => new DataSets((await link.backend()).workers);

  handle('dataSets', async ({ query: { pool = defaultPool } }): Promise<Answer<'dataSets'>> => {
    const offered = await dataSets();
    const seen = (await hosts.all(await link.backend())).filter((host) => host.pool === pool);
    const answer: Answer<'dataSets'> = { dataSets: [], asked: [], silent: [] };
    await Promise.all(
      seen.map(async ({ host, status, problem }) => {
        if (status === null) {
          answer.silent.push({ host, problem: problem ?? '' });
          return;
        }
        try {
          answer.dataSets.push(...(await listed.get(host, () => offered.list(host))));
          answer.asked.push(host);
        } catch (error) {
          if (!(error instanceof NoWorkerError || error instanceof WorkerFailedError)) throw error;
          answer.silent.push({ host, problem: error.message });
        }
      }),
    );
    answer.dataSets.sort((a, b) => (`${a.name} ${a.host}` < `${b.name} ${b.host}` ? -1 : 1));
    return answer;
  });

  handle('dataSet', async ({ params }) => (await dataSets()).details(params.host, params.dataSet));

  handle('dataSetItems', async ({ params, query }) =>
    (await dataSets()).items(params.host, {
      id: params.dataSet,
      split: query.split ?? null,
      className: query.class ?? null,
      offset: query.offset,
      limit: query.limit,
    }),
  );

  handle('dataSetImage', async ({ params, query: { item }, reply }) => {
    const offered = await dataSets();
    const size = isImage(item) ? await offered.imageSize(params.host, params.dataSet, item) : null;
    if (size === null) throw new RefusedError('notFound', `the data set has no image ${JSON.stringify(item)}`);
    if (size > largestImage)
      throw new RefusedError('tooLarge', `the image has ${size} bytes: at most ${largestImage} are shown`);
    reply.headers({ ...fileHeaders(item, false), 'content-length': size, 'cache-control': 'private, max-age=300' });
    return sendBytes({ reply }, offered.image(params.host, params.dataSet, item, size));
  });
}
