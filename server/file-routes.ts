/** Routes about the files of a run: log, events, checkpoints, folders, downloads, metrics. */
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { worthLink } from '../client/direct-bytes.ts';
import { FileNotFoundError } from '../client/errors.ts';
import type { FilesPlace } from '../client/run-files.ts';
import { firstThatHas } from '../client/run-places.ts';
import { batchesFile } from '../contracts/batch-rows.ts';
import type { FolderEntry } from '../contracts/http-answers.ts';
import { systemFile } from '../contracts/system-metrics.ts';
import { layoutFile } from '../contracts/ui.ts';
import { batchColumns, noBatchRows } from './batch-columns.ts';
import { byteRange } from './byte-range.ts';
import { fileHeaders, mediaTypeOf } from './media-types.ts';
import { metricColumns, noRows } from './metric-columns.ts';
import { PlacesOfRuns } from './places-of-runs.ts';
import { RefusedError } from './refusals.ts';
import type { Asked, Handle } from './routes.ts';
import { eventsInFile, withFile } from './run-events.ts';
import { noPages, runPages } from './run-pages.ts';
import { noSystemRows, systemColumns } from './system-columns.ts';
import type { Backend, TemporalLink } from './temporal-link.ts';

export function fileRoutes(handle: Handle, link: TemporalLink): void {
  const places = new PlacesOfRuns();

  handle('log', async ({ params, query }) => {
    const backend = await link.backend();
    const run = await places.of(backend, params.run);
    const question = {
      offset: query.offset ?? null,
      lines: query.lines,
      search: query.search ?? null,
      complete: run.isOver,
    };
    const { place, found } = await firstThatHas(run, `a log of run ${params.run}`, (at) =>
      backend.files.log(at, question),
    );
    return { source: place.source, ...found, complete: run.isOver };
  });

  handle('events', async ({ params }) => {
    const backend = await link.backend();
    const run = await places.of(backend, params.run);
    const isThisLife = params.run === run.view.run || params.run === run.view.place;
    const remembered = isThisLife ? run.view.events : [];
    if (isThisLife && !run.isOver) return remembered;
    const stored = run.places.filter(({ source }) => source === 'store');
    const { found } = await firstThatHas({ places: stored }, `events of run ${params.run}`, (at) =>
      eventsInFile(backend.files, at),
    ).catch((error: unknown) => {
      // What it remembers is worth telling by itself.
      if (remembered.length === 0 && !(error instanceof FileNotFoundError)) throw error;
      return { found: [] };
    });
    return withFile(remembered, found);
  });

  handle('checkpoints', async ({ params }) => {
    const { view, isOver } = await places.of(await link.backend(), params.run);
    const published = new Set(view.receipt?.checkpoints.map(({ name }) => name));
    // One that was ended by force has its folder until its salvage has landed it.
    const isOnHost = !isOver || view.receipt === null || view.receipt.localFolder.kind === 'kept';
    return view.checkpoints.map((entry) => ({
      ...entry,
      source: entry.stored || published.has(entry.name) ? ('store' as const) : isOnHost ? ('host' as const) : null,
      paths: entry.files.map((file) => `checkpoints/${entry.name}/${file.path}`),
    }));
  });

  handle('files', async ({ params, query: { folder = null } }) => {
    const backend = await link.backend();
    const run = await places.of(backend, params.run);
    const what =
      folder === null ? `a folder of run ${params.run}` : `folder ${JSON.stringify(folder)} of run ${params.run}`;
    const { place, found } = await firstThatHas(run, what, async (at) => {
      const listed = await backend.files.list(at, folder);
      // A store tells an empty folder for one that it has not: the other places are asked, too.
      return listed && listed.entries.length === 0 && folder === null ? null : listed;
    }).catch((error: unknown) => {
      const [first] = run.places;
      if (folder !== null || !first || !(error instanceof FileNotFoundError)) throw error;
      return { place: first, found: { entries: [], all: true } };
    });
    const entries = found.entries.map(
      (entry): FolderEntry => ({
        ...entry,
        path: folder === null ? entry.name : `${folder}/${entry.name}`,
        mediaType: entry.kind === 'file' ? mediaTypeOf(entry.name) : null,
      }),
    );
    return { source: place.source, folder: folder ?? '', entries, all: found.all };
  });

  handle('file', async (asked) => {
    const { params, query, request, reply } = asked;
    const backend = await link.backend();
    const run = await places.of(backend, params.run);
    const what = `file ${JSON.stringify(query.path)} of run ${params.run}`;
    const { place, found: size } = await firstThatHas(run, what, (at) => backend.files.size(at, query.path));
    const range = byteRange(request.headers.range, size);
    if (range === 'unsatisfiable') return unsatisfiable(reply, size);
    if (range === null && size >= worthLink && isSavedByBrowser(request) && query.download === 'true') {
      const address = await backend.files.link(place, query.path);
      // It is a credential for some minutes: nothing may keep it.
      if (address !== null)
        return reply.headers({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }).redirect(address, 302);
    }
    const { start, end } = range ?? { start: 0, end: size };
    reply.code(range ? 206 : 200).headers({
      ...fileHeaders(query.path, query.download === 'true'),
      'accept-ranges': 'bytes',
      'content-length': end - start,
      'cache-control': run.isOver ? 'private, max-age=60' : 'no-store',
      ...(range ? { 'content-range': `bytes ${start}-${end - 1}/${size}` } : {}),
    });
    const further = run.places.slice(run.places.indexOf(place));
    return sendBytes(asked, backend.files.bytesWherever(further, query.path, { start, end, size }));
  });

  /** What `read` makes of a file of rows, from the first place that has it; without one, what `none` is at the nearest. */
  async function rowsOf<T>(
    asked: string,
    file: string,
    read: (files: Backend['files'], place: FilesPlace) => Promise<T | null>,
    none: (place: FilesPlace) => T,
  ): Promise<T> {
    const backend = await link.backend();
    const run = await places.of(backend, asked);
    const [nearest] = run.places;
    try {
      return (await firstThatHas(run, `${file} of run ${asked}`, (at) => read(backend.files, at))).found;
    } catch (error) {
      if (!nearest || !(error instanceof FileNotFoundError)) throw error;
      return none(nearest);
    }
  }

  handle('metrics', ({ params, query }) =>
    rowsOf(
      params.run,
      'metrics.jsonl',
      (files, at) => metricColumns(files, at, query),
      (nearest) => noRows(nearest, query.after),
    ),
  );

  handle('batches', ({ params, query }) =>
    rowsOf(params.run, batchesFile, (files, at) => batchColumns(files, at, query), noBatchRows),
  );

  handle('pages', ({ params, query }) =>
    rowsOf(params.run, layoutFile, (files, at) => runPages(files, at, query.after), noPages),
  );

  handle('system', ({ params, query }) =>
    rowsOf(params.run, systemFile, (files, at) => systemColumns(files, at, query.after), noSystemRows),
  );
}

/** A browser that saves a file. Other programs may send their token on to where they are sent, and scripts of a page may not read it there. */
function isSavedByBrowser({ headers, method }: FastifyRequest): boolean {
  const { 'sec-fetch-mode': mode, 'sec-fetch-dest': destination } = headers;
  // The second is what a link with `download` asks with.
  const isSaved = mode === 'navigate' || (mode === 'no-cors' && destination === 'empty');
  return method === 'GET' && isSaved && headers.authorization === undefined;
}

/** In order, no faster than the caller takes them. */
export function sendBytes({ reply }: Pick<Asked<'file'>, 'reply'>, bytes: AsyncIterable<Uint8Array>): FastifyReply {
  return reply.send(Readable.from(bytes, { objectMode: false, highWaterMark: 256 * 1024 }));
}

function unsatisfiable(reply: FastifyReply, size: number): never {
  reply.header('content-range', `bytes */${size}`);
  throw Object.assign(new RefusedError('invalid', `range is outside the file, which has ${size} bytes`), {
    statusCode: 416,
  });
}
