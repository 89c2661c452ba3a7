/** Where the files of a run are to be asked for: its host while it lives there, the store once it is published. */
import type { FileSource } from '../contracts/run-files.ts';
import type { RunView } from '../contracts/run-messages.ts';
import { FileNotFoundError, NoWorkerError, WorkerFailedError } from './errors.ts';
import type { FilesPlace } from './run-files.ts';

export interface RunPlaces {
  view: RunView;
  /** Nearest first. */
  places: FilesPlace[];
  /** Nothing more is written. */
  isOver: boolean;
}

/** `asked`: a run, which means the life that it is in, or one of its lives. Of another life nobody here knows whether it is over. */
export function placesIn(view: RunView, asked: string): RunPlaces {
  const { run, place = run } = view;
  const isThisOne = asked === run || asked === place;
  return { view, places: placesOf(view, isThisOne ? place : asked), isOver: isThisOne && view.state === 'stopped' };
}

/** The first place that has what is asked for. Throws FileNotFoundError where none has, or what keeps the last from answering. */
export async function firstThatHas<T>(
  { places }: Pick<RunPlaces, 'places'>,
  what: string,
  ask: (place: FilesPlace) => Promise<T | null>,
): Promise<{ place: FilesPlace; found: T }> {
  let silence: Error | null = null;
  for (const place of places) {
    try {
      const found = await ask(place);
      if (found !== null) return { place, found };
    } catch (error) {
      if (!(error instanceof NoWorkerError || error instanceof WorkerFailedError)) throw error;
      silence ??= error;
    }
  }
  throw silence ?? new FileNotFoundError(`${what} is not there`);
}

function placesOf(view: RunView, files: string): FilesPlace[] {
  const { run, config, session, checkpoints, outputFolder, receipt, state, place = run } = view;
  const project = config.project ?? 'default';
  const suffix = `/experiments/${project}/${place}`;
  // A run without a store of its own goes to its worker's; the output folder tells which that was.
  const store = config.store ?? (outputFolder?.endsWith(suffix) ? outputFolder.slice(0, -suffix.length) : null);
  const host = session?.host ?? keptOn(receipt) ?? checkpoints.at(-1)?.host ?? null;
  const at = (source: FileSource, asked: FilesPlace['asked']): FilesPlace => ({
    source,
    run: files,
    project,
    store,
    asked,
  });
  const onHost = host === null ? [] : [at('host', { host })];
  // The host that published reaches the store for certain: it may be one of its own folders.
  const inStore = [...(host === null ? [] : [at('store', { host })]), at('store', { pool: config.pool ?? 'gpu' })];
  return state === 'stopped' ? [...inStore, ...onHost] : [...onHost, ...inStore];
}

function keptOn(receipt: RunView['receipt']): string | null {
  const folder = receipt?.localFolder;
  return folder && 'host' in folder ? folder.host : null;
}
