/** A target of notifications as an observer: it is told of the events that its rules are for. */
import type { ObservedBy, ObservedEvent } from '../contracts/observed-events.ts';
import { slackMessage, teamsMessage } from './chat.ts';
import { isMailServer, sendMail } from './mail.ts';
import { type Notice, noticeOf, testNotice } from './notice.ts';
import { isFor, kindsOf, type Rule, waitsForOf } from './notify-rules.ts';
import type { NotifySettings, Target } from './notify-settings.ts';
import type { Delivery, ObservedRun, Observer } from './observer.ts';
import { post, refusalOf } from './post.ts';
import { secretAt } from './secret-reference.ts';
import { tellEach } from './tell-each.ts';
import { sendEvent } from './webhook.ts';
import { keyOf } from './webhook-settings.ts';

export class Notifier implements Observer {
  readonly name: string;
  readonly kinds: readonly string[];
  readonly waitsFor: ObservedBy['waitsFor'];
  readonly #rules: readonly Rule[];
  readonly #page: string | null;

  constructor(
    readonly target: string,
    readonly to: Target,
    { rules, page }: Pick<NotifySettings, 'rules' | 'page'>,
    readonly env: NodeJS.ProcessEnv,
  ) {
    this.name = `notify.${target}`;
    this.#rules = rules.filter((rule) => rule.to.includes(target));
    this.kinds = kindsOf(this.#rules);
    this.waitsFor = waitsForOf(this.#rules);
    this.#page = page ?? null;
  }

  async tell(events: readonly ObservedEvent[], run: ObservedRun, delivery: Delivery): Promise<void> {
    await tellEach(events, delivery, async (event) =>
      isFor(this.#rules, event, run)
        ? send(this.to, noticeOf(event, run, this.#page), event, this.env, delivery.signal)
        : null,
    );
  }

  /** For a person who wants to know whether it arrives. Null where it was taken; a sentence otherwise. */
  async test(signal: AbortSignal): Promise<string | null> {
    const at = new Date();
    const id = `test/${at.getTime()}`;
    const event: ObservedEvent = {
      ...{ kind: 'state', id, run: 'test', life: 'test', seq: 1, at: at.toISOString() },
      ...{ position: { epoch: 0, batch: 0 }, data: { state: 'training', detail: 'training.epoch' } },
    };
    try {
      return await send(this.to, testNotice(this.target, id), event, this.env, signal);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}

/** Null where it was taken; a sentence where it never will be. Throws what is to be tried again. */
async function send(
  target: Target,
  notice: Notice,
  event: ObservedEvent,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<string | null> {
  if ('slack' in target)
    return refusalOf('Slack', await post('Slack', secretAt(target.slack, env), slackMessage(notice), {}, signal));
  if ('teams' in target)
    return refusalOf('Teams', await post('Teams', secretAt(target.teams, env), teamsMessage(notice), {}, signal));
  if ('email' in target) {
    const server = secretAt(target.email.server, env);
    // A file may have been replaced since it was checked. Whoever parses it would name it in an error.
    if (!isMailServer(server)) throw new Error(`what is at ${target.email.server} is no address of a mail server`);
    return sendMail(server, target.email, notice, signal);
  }
  const key = keyOf(secretAt(target.webhook.secret, env));
  if (key === null) throw new Error(`what is at ${target.webhook.secret} is no secret of a webhook`);
  return sendEvent({ address: secretAt(target.webhook.address, env), key }, event, signal);
}
