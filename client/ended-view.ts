/** A run that was ended by force still says what it said last. What became of it is told instead. Pure. */
import type { Receipt } from '../contracts/receipt.ts';
import type { RunView } from '../contracts/run-messages.ts';

/** `receipt`: of its salvage; null while there is none. */
export function endedView(view: RunView, receipt: Receipt | null): RunView {
  const ended: RunView = { ...view, state: 'stopped', detail: 'stopped', session: null };
  if (receipt === null) return ended;
  const before = new Map(view.checkpoints.map((entry) => [entry.name, entry]));
  return {
    ...ended,
    // What landed, and nothing that the run still counted on.
    checkpoints: receipt.checkpoints.map((checkpoint) => ({
      ...checkpoint,
      host: before.get(checkpoint.name)?.host ?? '',
      files: before.get(checkpoint.name)?.files ?? checkpoint.files.map((file) => inside(file, checkpoint.name)),
      stored: true,
    })),
    position: { epoch: receipt.epochs.trained, batch: newestOf(receipt)?.batch ?? 0 },
    metrics: receipt.metrics,
    best: receipt.best,
    outputFolder: receipt.outputFolder ?? view.outputFolder,
    receipt,
  };
}

const newestOf = ({ checkpoints, epochs }: Receipt) =>
  checkpoints.filter(({ epoch }) => epoch === epochs.trained).sort((a, b) => b.batch - a.batch)[0];

/** A receipt's paths are relative to the output folder, a checkpoint's to its own. */
function inside(file: Receipt['checkpoints'][number]['files'][number], checkpoint: string) {
  const prefix = `checkpoints/${checkpoint}/`;
  return file.path.startsWith(prefix) ? { ...file, path: file.path.slice(prefix.length) } : file;
}
