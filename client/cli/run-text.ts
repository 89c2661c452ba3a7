/** A run, and its receipt, as text. */

import { codeText } from '../../contracts/code-text.ts';
import { lifeText } from '../../contracts/life.ts';
import { peakFacts } from '../../contracts/peak-text.ts';
import type { Cause, Outcome, Receipt } from '../../contracts/receipt.ts';
import type { RunView } from '../../contracts/run-messages.ts';
import { goodputOf, type RunTime, timeCauses, timeTitles } from '../../contracts/run-time.ts';
import { sizeText } from '../../contracts/size-text.ts';
import type { SystemPeaks } from '../../contracts/system-metrics.ts';
import { colors } from './colors.ts';
import { dataFacts } from './data-report-text.ts';
import { clockText, durationText, metricsText, numberText, plain, positionText, timeText } from './format.ts';
import { factsText } from './table.ts';

const colorOf: Readonly<Record<Outcome, (text: string) => string>> = {
  completed: colors.green,
  stopped: colors.yellow,
  failed: colors.red,
  salvaged: colors.red,
  lost: colors.red,
};

function wastedText({ wasted, wastedAtLeast }: Receipt['batches']): string {
  if (wasted === 0 && !wastedAtLeast) return '';
  return `, ${wastedAtLeast ? 'at least ' : ''}${wasted} wasted`;
}

export function receiptText(receipt: Receipt): string {
  const { outcome, cause, epochs, batches, best, checkpoints, localFolder, restarts } = receipt;
  const named = checkpoints.reduce((sum, checkpoint) => sum + checkpoint.files.length, receipt.files.length);
  const files = receipt.files.some(({ path }) => path === 'files.jsonl') ? `more than ${named}` : named;
  return [
    `${colorOf[outcome](colors.bold(outcome))}  ${causeText(cause)}`,
    factsText([
      ['run', receipt.run],
      ['trainer', `${receipt.trainer}, project ${receipt.project}`],
      ['epochs', `${epochs.trained} of ${epochs.planned}, ${batches.trained} batches${wastedText(batches)}`],
      ['metrics', metricsText(receipt.metrics)],
      ['best', best && bestText(best)],
      ['checkpoints', checkpoints.map(({ name, reasons }) => `${name} (${reasons.join(', ')})`).join(', ') || 'none'],
      ...(receipt.data ? dataFacts(receipt.data) : []),
      ['left out', receipt.data && leftOutText(receipt.data)],
      ['code', plain(codeText(receipt.materials) ?? '') || null],
      ['peak use', receipt.system ? peaksText(receipt.system) : null],
      ['published', `${files} files, ${sizeText(receipt.publishedBytes)}`],
      ['output folder', receipt.outputFolder && colors.bold(plain(receipt.outputFolder))],
      ['run folder', localFolderText(localFolder)],
      [
        'restarts',
        restarts.length > 0 ? restarts.map(({ reason, failure }) => failure?.kind ?? reason).join(', ') : null,
      ],
      [
        'trainer',
        receipt.processGroupGone === false ? colors.red('not all of its processes are known to have ended') : null,
      ],
      ['GPU', receipt.gpuMemoryReleased === false ? colors.red('its memory was not released') : null],
      ['goodput', receipt.time ? goodputText(receipt.time) : null],
      [
        'time',
        Object.entries(receipt.stateSeconds)
          .map(([state, seconds]) => `${state} ${durationText(seconds)}`)
          .join(', '),
      ],
      ...receipt.notes.map((note): [string, string] => ['note', plain(note)]),
    ]),
  ].join('\n');
}

function goodputText(time: RunTime): string | null {
  const goodput = goodputOf(time);
  if (goodput === null) return null;
  const causes = timeCauses.flatMap((cause) => {
    const seconds = time[cause] ?? 0;
    return seconds > 0 ? `${timeTitles[cause].toLowerCase()} ${durationText(seconds)}` : [];
  });
  return `${(goodput * 100).toFixed(1)} % of the time with a slot: ${causes.join(', ')}`;
}

const peaksText = (peaks: SystemPeaks): string | null =>
  peakFacts(peaks)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ') || null;

function leftOutText({ findings }: NonNullable<Receipt['data']>): string | null {
  const left = findings.filter(({ effect }) => effect === 'leftOut');
  return left.map(({ kind, count }) => plain(`${kind} ${count}`)).join(', ') || null;
}

/** `waiting`: lines about what it waits for. */
export function viewText(view: RunView, waiting: readonly string[] = []): string {
  const { config, best, session, problems, checkpoints } = view;
  const facts = factsText([
    ['run', view.run],
    ['state', `${colors.bold(view.detail)} since ${timeText(view.enteredStateAt)}`],
    ...waiting.map((text): [string, string] => ['waiting', plain(text)]),
    ['trainer', `${config.trainer ?? '(not chosen)'}, project ${config.project ?? 'default'}`],
    ['trained', `${positionText(view.position)}${view.epochs === null ? '' : ` of ${view.epochs}`}`],
    ['metrics', metricsText(view.metrics)],
    ['best', best && bestText(best)],
    [
      'checkpoints',
      checkpoints.length > 0
        ? `${checkpoints.length}, ${checkpoints.filter(({ stored }) => stored).length} in the store`
        : null,
    ],
    [
      'host',
      session && `${session.host}${session.devices.length > 0 ? ` on ${session.devices.map(plain).join(', ')}` : ''}`,
    ],
    ['output folder', view.outputFolder && plain(view.outputFolder)],
    ['life', plain(lifeText(view) ?? '') || null],
    ...problems.map((problem): [string, string] => ['problem', colors.red(plain(problem))]),
  ]);
  const events = view.events.slice(-10).map(({ at, message }) => `${colors.dim(clockText(at))}  ${plain(message)}`);
  // Of a run that was ended by force nobody may know yet what is left of it.
  const isEnded = view.state === 'stopped' && view.receipt === null;
  return [
    facts,
    ...(isEnded ? ['', colors.yellow('The run is over and has no receipt: what is left of it is not known yet.')] : []),
    ...(events.length > 0 ? ['', ...events] : []),
    ...(view.receipt ? ['', receiptText(view.receipt)] : []),
  ].join('\n');
}

const bestText = ({ metric, value, epoch, from }: NonNullable<Receipt['best']>): string =>
  `${plain(metric)} ${numberText(value)} in epoch ${epoch}${from ? `, trained by ${from}` : ''}`;

function causeText(cause: Cause): string {
  switch (cause.kind) {
    case 'finished':
      return cause.early ? `the trainer ended early: ${plain(cause.early.reason)}` : 'all epochs are trained';
    case 'stop':
      return `stopped by ${cause.by === 'cancel' ? 'a cancel' : 'request'} (${cause.mode})`;
    case 'failure':
      return plain(`${cause.failure.kind}: ${cause.failure.message}`);
    case 'other':
      return 'reported by a later version, which this one does not understand';
  }
}

function localFolderText(folder: Receipt['localFolder']): string | null {
  switch (folder.kind) {
    case 'none':
    case 'removed':
      return null;
    case 'kept':
      return plain(`kept on ${folder.host}: ${folder.path} (${folder.why}); "epochal folders rm" removes it`);
    case 'unknown':
      return `${folder.host} does not answer; the folder is handled when the host is back`;
    case 'other':
      return 'unknown to this version';
  }
}
