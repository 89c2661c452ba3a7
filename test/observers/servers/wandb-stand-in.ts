/**
 * Stands in for a W&B server, as far as runs go: what its own client asks and sends, which is all that the tests have talk to it. W&B has no server that could run
 * here. Lines of a file go to the place that the client says, so that one which begins anew overwrites what was there, as W&B's does.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';

export interface WandbRun {
  entity: string;
  project: string;
  id: string;
  displayName: string;
  notes: string;
  config: string;
  state: 'running' | 'finished' | 'failed';
  exitCode: number | null;
  /** How often a client began it, or resumed it. */
  begun: number;
  /** Lines of its history as the client sent them. */
  lines: string[];
  summary: string;
}

const questionSchema = z.object({ query: z.string(), variables: z.record(z.string(), z.unknown()).nullish() });
const streamSchema = z.object({
  files: z.record(z.string(), z.object({ offset: z.number(), content: z.array(z.string()) })).nullish(),
  complete: z.boolean().nullish(),
  exitcode: z.number().nullish(),
});
const configSchema = z.object({ _wandb: z.object({ value: z.object({ t: z.unknown() }) }).optional() });
/** It asks for as many samples as there are steps. */
const specSchema = z.object({ keys: z.array(z.string()), minStep: z.int(), maxStep: z.int() });
const rowSchema = z.record(z.string(), z.unknown());

export class WandbStandIn {
  readonly runs = new Map<string, WandbRun>();
  /** Of each question of the client. */
  readonly asked: string[] = [];
  /** Answers this to everything; null: does what it is there for. */
  broken: number | null = null;
  readonly #server = createServer((request, response) => void this.#handle(request, response));

  constructor(readonly key: string) {}

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** The rows of a run, in order. */
  rowsOf(run: WandbRun): Record<string, unknown>[] {
    return run.lines.map((line) => rowSchema.parse(JSON.parse(line)));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const send = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    if (this.broken !== null) return send(this.broken, { error: 'broken' });
    const [, secret] = Buffer.from((request.headers.authorization ?? '').replace('Basic ', ''), 'base64')
      .toString()
      .split(':');
    if (secret !== this.key) return send(401, { errors: [{ message: 'user is not logged in' }] });
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString() || 'null');
    const stream = /^\/files\/([^/]+)\/([^/]+)\/([^/]+)\/file_stream$/.exec(request.url ?? '');
    if (stream) return send(200, this.#stream(stream.slice(1).map(decodeURIComponent), streamSchema.parse(body)));
    if (request.url !== '/graphql') return send(404, {});
    const { query, variables } = questionSchema.parse(body);
    const name = /(?:query|mutation)\s+(\w+)/.exec(query)?.[1] ?? '';
    this.asked.push(name);
    return send(200, { data: this.#answer(name, variables ?? {}) });
  }

  #answer(name: string, variables: Record<string, unknown>): unknown {
    const text = (key: string) => (typeof variables[key] === 'string' ? variables[key] : '');
    const entity = text('entity') || 'me';
    // A run's name, in W&B's API, is its id.
    const run = this.runs.get([entity, text('project'), text('name') || text('run') || text('runName')].join('/'));
    switch (name) {
      case 'ServerFeaturesQuery':
        return { serverInfo: { features: [] } };
      case 'Viewer':
      case 'GetViewer':
      case 'GetDefaultEntity': {
        const flags = { admin: false, flags: '{}', deletedAt: null, apiKeys: null };
        return {
          viewer: { id: '1', entity: 'me', username: 'me', name: 'me', email: '', teams: { edges: [] }, ...flags },
        };
      }
      case 'RunResumeStatus':
        return {
          model: {
            id: 'p',
            name: text('project'),
            entity: { id: 'e', name: entity },
            bucket: run ? resumed(run) : null,
          },
        };
      case 'UpsertBucket':
        return this.#upsert(entity, text);
      case 'Run':
        return { project: run ? { run: { projectId: '1', ...shown(run) } } : null };
      case 'QueryRunInfo':
        return { project: run ? { run: shown(run) } : null };
      case 'RunHistoryKeys':
        return { project: { run: { historyKeys: run ? shown(run).historyKeys : null } } };
      case 'RunParquetHistory':
        return { project: { run: { parquetHistory: { parquetUrls: [], liveData: run ? this.rowsOf(run) : [] } } } };
      case 'SampledHistoryPage': {
        const { keys, minStep, maxStep } = specSchema.parse(JSON.parse(text('spec')));
        const isMeant = (row: Record<string, unknown>) =>
          Number(row._step) >= minStep && Number(row._step) <= maxStep && keys.every((key) => key in row);
        return { project: { run: { sampledHistory: [run ? this.rowsOf(run).filter(isMeant) : []] } } };
      }
      case 'CreateRunFiles':
        return { createRunFiles: { runID: text('run'), uploadHeaders: [], files: [] } };
      default:
        return {};
    }
  }

  #upsert(entity: string, text: (key: string) => string): unknown {
    const [project, id] = [text('project'), text('name')];
    const address = [entity, project, id].join('/');
    const before = this.runs.get(address);
    const run: WandbRun = before ?? {
      ...{ entity, project, id, displayName: '', notes: '', config: '{}', state: 'running', exitCode: null },
      ...{ begun: 0, lines: [], summary: '{}' },
    };
    this.runs.set(address, run);
    run.state = 'running';
    run.begun += 1;
    for (const key of ['displayName', 'notes', 'config'] as const) run[key] = text(key) || run[key];
    const where = { id: 'p', name: project, entity: { id: 'e', name: entity } };
    return { upsertBucket: { bucket: { ...shown(run), project: where }, inserted: !before } };
  }

  #stream(address: string[], { files, complete, exitcode }: z.infer<typeof streamSchema>): unknown {
    const run = this.runs.get(address.join('/'));
    const history = files?.['wandb-history.jsonl'];
    if (run && history) run.lines.splice(history.offset, history.content.length, ...history.content);
    const summary = files?.['wandb-summary.json']?.content.at(-1);
    if (run && summary) run.summary = summary;
    if (run && complete) {
      run.exitCode = exitcode ?? null;
      run.state = exitcode === 0 ? 'finished' : 'failed';
    }
    return {};
  }
}

const shown = (run: WandbRun) => ({
  ...{ id: `of ${run.id}`, name: run.id, displayName: run.displayName, description: '', notes: run.notes, tags: [] },
  ...{
    config: run.config,
    summaryMetrics: run.summary,
    systemMetrics: '{}',
    state: run.state,
    group: null,
    jobType: null,
  },
  ...{
    sweepName: null,
    commit: null,
    readOnly: false,
    createdAt: '2026-01-01T00:00:00Z',
    heartbeatAt: null,
    user: { name: 'me', username: 'me' },
  },
  historyLineCount: run.lines.length,
  historyKeys: { lastStep: Math.max(-1, ...run.lines.map((line) => Number(rowSchema.parse(JSON.parse(line))._step))) },
});

const resumed = (run: WandbRun) => ({
  ...shown(run),
  ...{ logLineCount: 0, eventsLineCount: 0, eventsTail: '[]' },
  // Of one that has none, no client has begun it yet.
  wandbConfig: JSON.stringify({ t: configSchema.parse(JSON.parse(run.config))._wandb?.value.t }),
  // A text that has a list of texts, as W&B sends it.
  historyTail: JSON.stringify(run.lines.slice(-1)),
});
