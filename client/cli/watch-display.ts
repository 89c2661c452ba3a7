/** Shows a watched run: bars on a terminal, plain lines elsewhere, JSON lines for programs. */
import { createRequire } from 'node:module';
import type { MultiBar, SingleBar } from 'cli-progress';
import type { Progress, WorkProgress } from '../../contracts/progress.ts';
import { runStateSchema } from '../../contracts/receipt.ts';
import type { RunView } from '../../contracts/run-messages.ts';
import { sizeText } from '../../contracts/size-text.ts';
import type { WatchItem } from '../watch.ts';
import { colors } from './colors.ts';
import { clockText, durationText, metricsText, numberText, plain } from './format.ts';
import { receiptText } from './run-text.ts';

const require = createRequire(import.meta.url);
/** Loaded with the first bar: help needs none. */
const bars = (): typeof import('cli-progress') => require('cli-progress');

export interface WatchDisplay {
  show(item: WatchItem): void;
  /** Also when the watch ends before the run does. */
  close(): void;
}

export function watchDisplay(run: string, { json, out }: { json: boolean; out: NodeJS.WritableStream }): WatchDisplay {
  if (json) return new JsonLines(out);
  return 'isTTY' in out && out.isTTY ? new Bars(run, out) : new PlainLines(out);
}

/** A watch item as JSON; an error is its name and message. */
const itemJson = (item: WatchItem): string =>
  JSON.stringify(item, (_, value: unknown) =>
    value instanceof Error ? { name: value.name, message: value.message } : value,
  );

class JsonLines implements WatchDisplay {
  readonly #out: NodeJS.WritableStream;
  constructor(out: NodeJS.WritableStream) {
    this.#out = out;
  }
  show(item: WatchItem): void {
    this.#out.write(`${itemJson(item)}\n`);
  }
  close(): void {}
}

/** Lines that tell what is new in a view, and in what is done before there are epochs. */
class Story {
  #detail = '';
  #epoch = 0;
  #doing = '';

  /** Of a set-up, which may take minutes, and of the wait for a slot. Storing runs beside the epochs, and publishing is a state. */
  linesOfWork(activity: string, { doing }: WorkProgress): string[] {
    if (!setUps.includes(activity) || doing === this.#doing) return [];
    this.#doing = doing;
    return [doing];
  }

  linesOf(view: RunView): string[] {
    const lines: string[] = [];
    if (view.position.epoch > this.#epoch) {
      const best = view.best?.epoch === view.position.epoch ? `, the best ${plain(view.best.metric)} so far` : '';
      lines.push(
        `epoch ${view.position.epoch}${view.epochs === null ? '' : ` of ${view.epochs}`}: ${metricsText(view.metrics) || 'trained'}${best}`,
      );
    }
    if (view.detail !== this.#detail) lines.push(view.detail);
    this.#detail = view.detail;
    this.#epoch = view.position.epoch;
    return lines;
  }
}

const setUps: readonly string[] = ['checkConfig', 'openSession'];

function linesOf(item: WatchItem, story: Story): string[] {
  switch (item.kind) {
    case 'work':
      return story.linesOfWork(item.activity, item.work).map((line) => stamped(new Date().toISOString(), plain(line)));
    case 'view':
      return story.linesOf(item.view).map((line) => stamped(new Date().toISOString(), line));
    case 'event':
      // That a state was entered is told by the view, in more detail.
      if (runStateSchema.safeParse(item.event.message).success) return [];
      return [stamped(item.event.at, plain(item.event.message))];
    case 'trouble':
      return [stamped(new Date().toISOString(), colors.yellow(`${plain(item.message)}; still trying`))];
    case 'recovered':
      return [stamped(new Date().toISOString(), 'answers again')];
    case 'end':
      return ['', item.receipt ? receiptText(item.receipt) : colors.red(plain(item.problem.message))];
    default:
      return [];
  }
}

const stamped = (at: string, text: string): string => `${colors.dim(clockText(at))}  ${text}`;

class PlainLines implements WatchDisplay {
  readonly #out: NodeJS.WritableStream;
  readonly #story = new Story();
  constructor(out: NodeJS.WritableStream) {
    this.#out = out;
  }
  show(item: WatchItem): void {
    for (const line of linesOf(item, this.#story)) this.#out.write(`${line}\n`);
  }
  close(): void {}
}

const format = '{label} {bar} {count} {note}';
/** A line is written over a bar, which may be longer. */
const clearToEndOfLine = '\x1b[K';
const bar = { barCompleteChar: '█', barIncompleteChar: '░', barsize: 30 };

/** A bar for the epochs, one for the batches of the phase under way, and the lines of the story above them. */
class Bars implements WatchDisplay {
  readonly #run: string;
  #isClosed = false;
  readonly #story = new Story();
  readonly #bars: MultiBar;
  readonly #out: NodeJS.WritableStream;
  #epochs: SingleBar | null = null;
  #batches: SingleBar | null = null;

  constructor(run: string, out: NodeJS.WritableStream) {
    this.#run = run;
    this.#out = out;
    this.#bars = new (bars().MultiBar)({
      ...bar,
      format,
      stream: out,
      fps: 8,
      hideCursor: true,
      clearOnComplete: true,
      forceRedraw: true,
      emptyOnZero: true,
      autopadding: false,
    });
  }

  show(item: WatchItem): void {
    if (item.kind === 'end') this.close();
    // Work has a line of its own below the bars.
    const lines = item.kind === 'work' ? [] : linesOf(item, this.#story);
    if (item.kind === 'end') {
      this.#out.write(`${lines.join('\n')}\n`);
      return;
    }
    for (const line of lines) this.#bars.log(`${line}${clearToEndOfLine}\n`);
    if (item.kind === 'view') this.#showView(item.view);
    if (item.kind === 'progress') this.#showProgress(item.progress);
    if (item.kind === 'work') this.#showWork(item.work);
    this.#bars.update();
  }

  close(): void {
    // Stopped once more, the bars would be drawn again, below the receipt.
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#bars.stop();
  }

  #showView({ epochs, position, detail, best, state }: RunView): void {
    if (epochs === null) return;
    const note = `${detail}${best ? `, best ${plain(best.metric)} ${numberText(best.value)}` : ''}`;
    this.#epochs ??= this.#bars.create(epochs, 0, { label: 'epochs ', count: '', note: '' });
    this.#epochs.update(position.epoch, {
      count: `${position.epoch}/${epochs}`,
      note: `${note}  ${colors.dim(this.#run)}`,
    });
    if (state !== 'training') this.#clearBatches();
  }

  #showProgress({ phase, epoch, batch, batches, rate, memoryBytes, metrics }: Progress): void {
    const left = rate && batches ? `, ${durationText((batches - batch) / rate)} left` : '';
    const memory = memoryBytes === null ? '' : `, ${sizeText(memoryBytes)}`;
    const speed = rate === null ? '' : `${numberText(rate)} batches/s${left}${memory}  `;
    const label = `${phase === 'train' ? `epoch ${epoch}` : phase}`.padEnd(7).slice(0, 12);
    this.#showSecond(
      label,
      batch,
      batches,
      `${batch}${batches === null ? '' : `/${batches}`}`,
      `${speed}${metricsText(metrics)}`,
    );
  }

  #showWork({ doing, bytes, totalBytes, counted, trouble }: WorkProgress): void {
    const note = `${plain(doing)}${trouble === undefined ? '' : colors.yellow(` (${plain(trouble)})`)}`;
    // Storing runs beside an epoch, whose batches are of more interest.
    if (this.#batches && totalBytes !== undefined) return;
    if (counted) {
      const { done, total } = counted;
      this.#showSecond('       ', done, total, `${numberText(done)}/${numberText(total)}`, note);
      return;
    }
    this.#showSecond('       ', bytes ?? 0, totalBytes ?? null, bytes === undefined ? '' : sizeText(bytes), note);
  }

  #showSecond(label: string, value: number, total: number | null, count: string, note: string): void {
    this.#batches ??= this.#bars.create(1, 0, { label, count: '', note: '' });
    this.#batches.setTotal(Math.max(1, total ?? value));
    this.#batches.update(total === null ? 0 : Math.min(value, total), { label, count, note: note.slice(0, 100) });
  }

  #clearBatches(): void {
    if (this.#batches) this.#bars.remove(this.#batches);
    this.#batches = null;
  }
}
