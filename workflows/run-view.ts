/** What people see of a run: the answer of its query, and the text in the Temporal UI. Pure. */

import type { StateValue } from 'xstate';
import type { Metrics } from '../contracts/checkpoint.ts';
import { problemSentence } from '../contracts/failure.ts';
import { type RunState, runStateSchema } from '../contracts/receipt.ts';
import { draftConfigSchema } from '../contracts/run-config.ts';
import type { RunView } from '../contracts/run-messages.ts';
import { code, plain } from './markdown.ts';
import type { RunContext } from './run-context.ts';
import { bestOf } from './run-receipt.ts';
import { type RunStory, stateSeconds } from './run-story.ts';

export interface ChartPosition {
  state: RunState;
  /** Full path, e.g. `training.epoch`. */
  detail: string;
}

/** `{training: {sessions: {acquiring: 'waiting'}, keeper: 'idle'}}` is `training.acquiring`. */
export function chartPosition(value: StateValue): ChartPosition {
  if (typeof value === 'string') return { state: runStateSchema.parse(value), detail: value };
  const [[top, inner] = ['stopped', undefined]] = Object.entries(value);
  const state = runStateSchema.parse(top);
  const region = typeof inner === 'object' && state === 'training' ? inner.sessions : inner;
  const part = typeof region === 'object' ? Object.keys(region)[0] : region;
  return { state, detail: part === undefined ? state : `${state}.${part}` };
}

/** Of a run that has no plan yet, what is known of its draft. */
export function configOf({ plan, draft }: RunContext): RunView['config'] {
  return plan?.config ?? draftConfigSchema.safeParse(draft).data ?? {};
}

export function viewOf(context: RunContext, story: RunStory, { state, detail }: ChartPosition, now: Date): RunView {
  return {
    run: context.run,
    state,
    detail,
    config: configOf(context),
    problems: context.problems.map(problemSentence),
    position: context.position,
    epochs: context.plan?.config.epochs ?? null,
    metrics: context.metrics,
    best: bestOf(context),
    checkpoints: context.ledger,
    curve: context.curve.points,
    session: context.session,
    outputFolder: context.plan?.outputFolder ?? null,
    restarts: context.restarts.map((restart, index) => ({
      at: story.restartTimes[index] ?? story.startedAt,
      ...restart,
    })),
    events: story.events,
    stateSeconds: stateSeconds(story, now),
    enteredStateAt: story.enteredStateAt,
    receipt: context.receipt,
  };
}

/** Markdown for the Temporal UI's "current details": the story without leaving that page. */
export function detailsOf(context: RunContext, story: RunStory, { detail }: ChartPosition): string {
  const { plan, position, receipt } = context;
  const best = bestOf(context);
  const lines = [`### ${receipt ? `stopped: ${receipt.outcome}` : detail}`];
  for (const problem of context.problems) lines.push(`- **${plain(problemSentence(problem))}**`);
  if (plan) {
    lines.push(
      `- **epoch** ${position.epoch} of ${plan.config.epochs}${position.batch ? ` and ${position.batch} batches` : ''}`,
    );
    if (Object.keys(context.metrics).length > 0) lines.push(`- **metrics** ${metricText(context.metrics)}`);
    if (best) lines.push(`- **best** ${bestText(best)}`);
    lines.push(`- **output folder** ${code(plan.outputFolder)}`);
  }
  if (context.session) lines.push(`- **host** ${plain(context.session.host)}`);
  if (context.failure) lines.push(`- **trouble** ${context.failure.kind}: ${plain(context.failure.message)}`);
  const kept = context.ledger.map(
    (entry) => `| ${entry.name} | ${entry.reasons.join(', ')} | ${entry.stored ? 'stored' : 'on the host'} |`,
  );
  if (kept.length > 0 && kept.length <= 20)
    lines.push('', '| checkpoint | kept as | where |', '|---|---|---|', ...kept);
  if (receipt?.localFolder.kind === 'kept') {
    lines.push(
      '',
      `The run folder was kept on ${plain(receipt.localFolder.host)}: ${code(receipt.localFolder.path)} (${plain(receipt.localFolder.why)})`,
    );
  }
  const events = story.events.slice(-10).map(({ at, message }) => `- ${at.slice(11, 19)} ${plain(message)}`);
  if (events.length > 0) lines.push('', ...events);
  return lines.join('\n');
}

const bestText = ({ metric, value, epoch, from }: NonNullable<ReturnType<typeof bestOf>>) =>
  `${plain(metric)} ${number(value)} in epoch ${epoch}${from ? `, trained by ${plain(from)}` : ''}`;

const metricText = (metrics: Metrics) =>
  Object.entries(metrics)
    .slice(0, 8)
    .map(([metric, value]) => `${plain(metric)} ${number(value)}`)
    .join(', ');

const number = (value: number) => (Number.isInteger(value) ? String(value) : value.toPrecision(4));
