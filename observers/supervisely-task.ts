/**
 * The task of a Supervisely server that this worker runs as: its log has how far the runs are, and its output is what became of the run that ended last. A run whose store is in Team Files
 * is shown with a link to its folder.
 */
import type { ObservedEvent } from '../contracts/observed-events.ts';
import { askTeamFiles } from '../stores/team-files-client.ts';
import { isStatus } from '../stores/team-files-errors.ts';
import { filesSchema } from '../stores/team-files-object.ts';
import { noticeOf } from './notice.ts';
import type { Delivery, ObservedRun, Observer } from './observer.ts';
import { writeExperiment } from './supervisely-experiment.ts';
import { taskLines } from './task-lines.ts';

type Ended = Extract<ObservedEvent, { kind: 'ended' }>;

/** What an agent sets beside `TASK_ID`, which many systems have: to show there what became of a run would change a task of somebody else's. */
const ofAgent = ['AGENT_TOKEN', 'AGENT_ID', 'SLY_APP_DATA_DIR'] as const;

/** Null where nobody says that the worker is a task: an agent does, with the server and a token. */
export function superviselyTask(env: NodeJS.ProcessEnv): number | null {
  const task = env.SUPERVISELY_TASK_ID || (ofAgent.some((name) => env[name]) ? env.TASK_ID : '') || '';
  return /^[1-9]\d{0,14}$/.test(task) && env.SERVER_ADDRESS && env.API_TOKEN ? Number(task) : null;
}

export class SuperviselyTask implements Observer {
  /** Whichever task a worker of the pool is: an agent that starts it again makes a new one. */
  readonly name = 'supervisely-task';
  readonly kinds: readonly string[] = ['state', 'epoch', 'restart', 'held', 'ended'];

  /** `hasExperiments`: it writes those of a run whose results are in Team Files. `log`: where the agent reads. */
  constructor(
    readonly task: number,
    readonly hasExperiments: boolean,
    readonly log: (line: string) => void = (line) => process.stderr.write(line),
  ) {}

  async tell(events: readonly ObservedEvent[], run: ObservedRun, delivery: Delivery): Promise<void> {
    for (const event of events) {
      if (event.kind === 'ended') await this.#showEnd(event, run, delivery);
      for (const line of taskLines(event, run)) this.log(`${JSON.stringify(line)}\n`);
      delivery.onTold(event.seq);
    }
  }

  async #showEnd(ended: Ended, run: ObservedRun, delivery: Delivery): Promise<void> {
    const { signal } = delivery;
    try {
      const general = await generalOf(ended, run, signal);
      await this.#show({ general }, signal);
      const data = this.hasExperiments ? await writeExperiment(ended, run, this.task, delivery) : null;
      if (data) await this.#show({ general, experiment: { data } }, signal);
    } catch (error) {
      // Of a task that is not there, or another's, it will not take it another time.
      if (!isStatus(error, 400, 403, 404)) throw error;
      delivery.onRefused(ended, error instanceof Error ? error.message : 'it is refused');
    }
  }

  async #show(output: Record<string, unknown>, signal: AbortSignal): Promise<void> {
    const json = { taskId: this.task, output };
    await askTeamFiles({ signal }, { method: 'tasks.output.set', json, isTeamless: true }, (told) => told);
  }
}

/** As the server's own apps show their results, and their errors. */
async function generalOf(event: Ended, run: ObservedRun, signal: AbortSignal): Promise<Record<string, unknown>> {
  const { title, lines } = noticeOf(event, run, null);
  const { outcome, outputFolder } = event.data;
  if (outcome === 'failed' || outcome === 'lost')
    return {
      icon: { className: 'zmdi zmdi-alert-octagon', color: '#ff83a6', backgroundColor: '#ffeae9' },
      ...{ title, description: lines[0] ?? '', showLogs: true, isError: true },
    };
  const colors = { color: '#33c94c', backgroundColor: '#d9f7e4' };
  const folder = outputFolder?.startsWith(scheme) ? outputFolder.slice(scheme.length) : null;
  const file = folder === null ? null : await receiptId(folder, signal);
  if (file === null)
    return {
      icon: { className: 'zmdi zmdi-comment-alt-text', ...colors },
      ...{ title, description: outputFolder ?? '', showLogs: false, isError: false },
    };
  return {
    icon: { className: 'zmdi zmdi-folder', ...colors },
    title: `${folder}/`,
    ...{ titleUrl: `/files/${file}`, download: false, description: title },
  };
}

const scheme = 'teamfiles:';

/** Of the server, which shows the folder of a file. */
async function receiptId(folder: string, signal: AbortSignal): Promise<number | string | null> {
  const path = `${folder}/receipt.json`;
  const request = { method: 'file-storage.list', json: { path, recursive: true } };
  const { answer } = await askTeamFiles({ signal }, request, (told) => filesSchema.parse(told));
  return answer.find((file) => file.path === path)?.id ?? null;
}
