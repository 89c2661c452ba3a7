/** What people are told of an event, in whatever way. Pure. */
import type { Metrics } from '../contracts/checkpoint.ts';
import type { ObservedEvent } from '../contracts/observed-events.ts';
import type { ObservedRun } from './observer.ts';

export interface Notice {
  /** The same event has the same one, whoever tells it again. */
  id: string;
  /** One line. */
  title: string;
  lines: string[];
  /** The run's page; null where nobody said where the pages are. */
  link: string | null;
}

const longestLine = 500;
const mostMetrics = 8;

/** `page`: where the web UI is. */
export function noticeOf(
  event: ObservedEvent,
  run: Pick<ObservedRun, 'run' | 'project' | 'trainer'>,
  page: string | null,
): Notice {
  const { epoch, batch } = event.position;
  const at = `after ${epoch} ${epoch === 1 ? 'epoch' : 'epochs'}${batch > 0 ? ` and ${batch} batches` : ''}`;
  const { title, lines } = told(event, run.run, at);
  return {
    id: event.id,
    title: oneLine(title),
    lines: [...lines, `Project ${run.project}, trainer ${run.trainer}`].map(oneLine),
    link: page === null ? null : `${page.replace(/\/$/, '')}/runs/${encodeURIComponent(run.run)}`,
  };
}

export const testNotice = (target: string, id: string): Notice => ({
  id,
  title: `Epochal: a test of ${target}`,
  lines: ['Whoever reads this would have been told of a run.'],
  link: null,
});

function told(event: ObservedEvent, run: string, at: string): Pick<Notice, 'title' | 'lines'> {
  switch (event.kind) {
    case 'ended': {
      const { outcome, cause, outputFolder, metrics } = event.data;
      const why = cause.kind === 'failure' ? [`${cause.failure.kind}: ${cause.failure.message}`] : [];
      const where = outputFolder === null ? [] : [`Results: ${outputFolder}`];
      return { title: `${run} ${outcomes[outcome]} ${at}`, lines: [...why, ...metricsLine(metrics), ...where] };
    }
    case 'restart': {
      const { reason, failure } = event.data;
      if (reason === 'preemption') return { title: `${run} is handed over to another host ${at}`, lines: [] };
      return { title: `${run} is restarted ${at}`, lines: failure ? [`${failure.kind}: ${failure.message}`] : [] };
    }
    case 'held':
      return { title: `${run} is ${event.data.isHeld ? 'paused' : 'resumed'} ${at}`, lines: [] };
    case 'state':
      return {
        title: event.data.state === 'training' ? `${run} has started` : `${run}: ${event.data.state}`,
        lines: [],
      };
    case 'metric': {
      const { metric, value, is, bound, epoch } = event.data;
      return {
        title: `${run}: ${metric} is ${Number(value.toPrecision(5))} (${is} ${bound}) in epoch ${epoch}`,
        lines: [],
      };
    }
    case 'waiting':
      return {
        title: `${run} has waited for ${spanOf(event.data.seconds)}`,
        lines: ['For a free slot, or for its trainer to be ready'],
      };
    default:
      return { title: `${run}: ${event.kind} ${at}`, lines: [] };
  }
}

/** `1h`, as a rule has it. */
function spanOf(seconds: number): string {
  const [unit, length] = (
    [
      ['d', 86_400],
      ['h', 3600],
      ['m', 60],
    ] as const
  ).find(([, one]) => seconds % one === 0) ?? ['s', 1];
  return `${seconds / length}${unit}`;
}

const outcomes = {
  completed: 'is completed',
  stopped: 'was stopped',
  failed: 'has failed',
  salvaged: 'was ended by force, and what was left of it is saved',
  lost: 'was ended by force, and nothing was left of it',
} as const;

function metricsLine(metrics: Metrics): string[] {
  const shown = Object.entries(metrics).slice(0, mostMetrics);
  return shown.length === 0 ? [] : [shown.map(([name, value]) => `${name} ${Number(value.toPrecision(5))}`).join(', ')];
}

/** What a trainer says in a failure may be of any form and length. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what has to go
  const plain = text.replace(/[\u0000-\u001f\u007f\u2028\u2029]+/g, ' ').trim();
  const short = plain.length > longestLine ? `${plain.slice(0, longestLine - 1)}…` : plain;
  // Half a character, by that cut or as a trainer wrote it, is not Unicode: services refuse the whole message.
  return short.replace(/\p{Surrogate}/gu, '\u{fffd}');
}
