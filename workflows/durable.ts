/**
 * Runs any xstate chart durably on Temporal. It knows nothing of training.
 *
 * xstate's pure `initialTransition` and `transition` say what follows from an event: the next snapshot and a list of
 * effects. This file performs the effects with Temporal's own means, which survive anything: a child is an activity
 * in a cancellation scope of its own, a delayed event is a timer. A live xstate actor would lose both when the
 * worker restarts (docs/architecture.md says what was measured).
 */
import * as wf from '@temporalio/workflow';
import {
  type AnyEventObject,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type EventFromLogic,
  type InputFrom,
  initialTransition,
  type SnapshotFrom,
  type StateValue,
  transition,
} from 'xstate';

export interface DurableOptions<TMachine extends AnyStateMachine> {
  machine: TMachine;
  /** Performs the child that the chart names `src`, in a scope that is cancelled when the chart stops it. */
  perform: (src: string, input: unknown) => Promise<unknown>;
  /** After each transition, with the event that caused it. */
  onChange?: (snapshot: SnapshotFrom<TMachine>, event: AnyEventObject | null) => void;
}

/** What continue-as-new carries over; only taken when the chart is `quiet`. */
export interface CarriedState {
  value: StateValue;
  context: unknown;
}

/** Effect of a chart: asks the child to end, and still waits for its answer. Stopping it would ignore the answer. */
export const cancelChildEffect = 'cancelChild';

export class DurableChart<TMachine extends AnyStateMachine> {
  #snapshot!: SnapshotFrom<TMachine>;
  #home!: wf.CancellationScope;
  readonly #children = new Map<string, wf.CancellationScope>();
  readonly #timers = new Map<string, wf.CancellationScope>();
  readonly #options: DurableOptions<TMachine>;

  constructor(options: DurableOptions<TMachine>) {
    this.#options = options;
  }

  get snapshot(): SnapshotFrom<TMachine> {
    return this.#snapshot;
  }

  /** No child runs and no timer is pending, so that value and context are the whole state. */
  get quiet(): boolean {
    return this.#children.size === 0 && this.#timers.size === 0;
  }

  /** Children and timers live in `home`, the scope that this is called in, whoever sends the events that begin them. */
  start(input: InputFrom<TMachine>, home = wf.CancellationScope.current()): void {
    this.#home = home;
    this.#perform(initialTransition(this.#options.machine, input), null);
  }

  /** As `start`. */
  restore({ value, context }: CarriedState): void {
    this.#home = wf.CancellationScope.current();
    this.#snapshot = this.#options.machine.resolveState({ value, context }) as SnapshotFrom<TMachine>;
  }

  /** Events after the end are ignored. Throws what a guard, an action or an unknown effect throws: a defect. */
  send(event: EventFromLogic<TMachine>): void {
    this.#transition(event);
  }

  get #active(): boolean {
    return (this.#snapshot as AnyMachineSnapshot).status === 'active';
  }

  #transition(event: AnyEventObject): void {
    if (!this.#active) return;
    this.#perform(transition(this.#options.machine, this.#snapshot, event as EventFromLogic<TMachine>), event);
  }

  #perform([next, effects]: ReturnType<typeof transition<TMachine>>, event: AnyEventObject | null): void {
    this.#snapshot = next;
    for (const effect of effects) this.#performEffect(effect as unknown as Effect);
    this.#options.onChange?.(next, event);
  }

  #performEffect({ type, params }: Effect): void {
    switch (type) {
      case 'xstate.spawnChild':
        return this.#spawn(text(params.id), text(params.src), params.input);
      case 'xstate.stopChild':
        return end(this.#children, text(params.id));
      case 'xstate.raise':
        return this.#raiseLater(text(params.id), Number(params.delay), params.event as AnyEventObject);
      case 'xstate.cancel':
        return end(this.#timers, text(params.sendId));
      case cancelChildEffect:
        return this.#children.get(text(params.id))?.cancel();
      default:
        throw new Error(`No way to perform the effect ${type}`);
    }
  }

  #spawn(id: string, src: string, input: unknown): void {
    const scope = this.#scope();
    this.#children.set(id, scope);
    const answer = (event: AnyEventObject) => {
      // A child that was stopped, or replaced under the same id, has nothing more to say.
      if (this.#children.get(id) !== scope) return;
      this.#children.delete(id);
      this.#transition(event);
    };
    scope
      .run(() => this.#options.perform(src, input))
      .then(
        (output) => answer({ type: `xstate.done.actor.${id}`, output, actorId: id }),
        (error: unknown) => answer({ type: `xstate.error.actor.${id}`, error, actorId: id }),
      );
  }

  /**
   * Handlers of signals and updates run in the workflow's root scope. What a chart begins there must not end with a
   * cancel of the workflow, which is an event for the chart like any other.
   */
  #scope(): wf.CancellationScope {
    return new wf.CancellationScope({ cancellable: true, parent: this.#home });
  }

  #raiseLater(id: string, delay: number, event: AnyEventObject): void {
    const scope = this.#scope();
    this.#timers.set(id, scope);
    scope
      .run(() => wf.sleep(delay))
      .then(
        () => {
          if (this.#timers.get(id) !== scope) return;
          this.#timers.delete(id);
          this.#transition(event);
        },
        () => undefined, // cancelled: the chart left the state that the timer belongs to
      );
  }
}

interface Effect {
  type: string;
  params: Record<string, unknown>;
}

function end(scopes: Map<string, wf.CancellationScope>, id: string): void {
  const scope = scopes.get(id);
  scopes.delete(id);
  scope?.cancel();
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new Error(`An effect names ${String(value)} where a string belongs`);
  return value;
}
