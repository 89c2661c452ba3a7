/** What a trainer was asked politely, to end, and how soon it said that it knows. */
import type { Command, TrainerEvent } from '../contracts/protocol.ts';
import type { StopRung } from '../contracts/run-activities.ts';

type EndCommand = Extract<Command, { type: 'stop' | 'shutdown' }>;

export class AskedEnd {
  /** The last one, to be said again to a trainer that may not have heard it. */
  command: EndCommand | null = null;
  /** Milliseconds from the first stop until the trainer said that it knows; null while it has not. */
  acknowledgedAfterMs: number | null = null;
  #stopAt: number | null = null;

  /** What to say to the trainer. Who is to stop is not told any more to finish. */
  by(rung: Extract<StopRung, 'finish' | 'epoch' | 'batch'>): EndCommand {
    if (rung === 'finish') {
      const shutdown: EndCommand = { type: 'shutdown' };
      this.command ??= shutdown;
      return shutdown;
    }
    this.#stopAt ??= performance.now();
    this.command = { type: 'stop', mode: rung };
    return this.command;
  }

  note(event: TrainerEvent): void {
    if (event.type !== 'acknowledged' || event.command !== 'stop' || this.#stopAt === null) return;
    this.acknowledgedAfterMs ??= Math.round((performance.now() - this.#stopAt) * 100) / 100;
  }
}
