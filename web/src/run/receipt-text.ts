/** A receipt in words. Pure. */
import { failureKinds } from '../../../contracts/failure.ts';
import type { Cause, Receipt } from '../../../contracts/receipt.ts';
import { counted } from '../formatting.ts';

export function causeText(cause: Cause): string {
  switch (cause.kind) {
    case 'finished':
      return cause.early ? `The trainer ended early: ${cause.early.reason}` : 'All epochs were trained.';
    case 'stop': {
      const when = { batch: 'after the batch', epoch: 'after the epoch', now: 'at once' }[cause.mode];
      return cause.by === 'cancel' ? `Cancelled in Temporal; stopped ${when}.` : `Stopped by request, ${when}.`;
    }
    case 'failure':
      return `${capital(failureKinds[cause.failure.kind])}: ${cause.failure.message}`;
    case 'other':
      return 'The run ended for a reason that this version does not know.';
  }
}

export const outcomeTitles = {
  completed: 'Completed',
  stopped: 'Stopped',
  salvaged: 'Salvaged',
  failed: 'Failed',
  lost: 'Lost',
} as const;

export function savedText({ checkpoints, files, epochs }: Receipt): string {
  const saved = `${counted(checkpoints.length, 'checkpoint')} and ${counted(files.length, 'other file')}`;
  return `${epochs.trained} of ${counted(epochs.planned, 'epoch')} trained; ${saved} published.`;
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
