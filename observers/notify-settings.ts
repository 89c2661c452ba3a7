/** The file that `EPOCHAL_NOTIFY` names: who is told, and of what. */
import { readFileSync } from 'node:fs';
import { parse, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { isMailServer } from './mail.ts';
import { mostWaitedFor, ruleSchema, waitsForOf } from './notify-rules.ts';
import { secretAt, secretReference } from './secret-reference.ts';
import { isAddress, keyOf } from './webhook-settings.ts';

const mailAddress = z
  .string()
  .min(3)
  .max(320)
  .regex(/^[^\r\n]+@[^\r\n]+$/, 'must be an e-mail address');

/** It is a part of what a run calls its observer. */
const targetName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'must be lower-case letters, digits and "-", at most 40');

/** One way each. */
const targetSchema = z.union([
  z.strictObject({ slack: secretReference }),
  z.strictObject({ teams: secretReference }),
  z.strictObject({ webhook: z.strictObject({ address: secretReference, secret: secretReference }) }),
  z.strictObject({
    email: z.strictObject({ server: secretReference, from: mailAddress, to: z.array(mailAddress).min(1).max(50) }),
  }),
]);
export type Target = z.infer<typeof targetSchema>;

const notifySchema = z
  .strictObject({
    /** Where the web UI is, for links. */
    page: z.url({ protocol: /^https?$/ }).optional(),
    targets: z.record(targetName, targetSchema).refine((all) => Object.keys(all).length <= 20, 'must be at most 20'),
    rules: z.array(ruleSchema).max(100),
  })
  .superRefine(({ targets, rules }, context) => {
    for (const target of Object.keys(targets)) {
      const { metrics = [], queued = [] } = waitsForOf(rules.filter(({ to }) => to.includes(target))) ?? {};
      if (metrics.length <= mostWaitedFor && queued.length <= mostWaitedFor) continue;
      const message = `${target} may wait for at most ${mostWaitedFor} metrics and ${mostWaitedFor} times`;
      context.addIssue({ code: 'custom', path: ['rules'], message });
    }
    for (const [index, { to }] of rules.entries()) {
      for (const target of to) {
        if (target in targets) continue;
        const known = Object.keys(targets).join(', ');
        context.addIssue({
          code: 'custom',
          path: ['rules', index, 'to'],
          message: `names ${target}, and the targets are ${known}`,
        });
      }
    }
  });
export type NotifySettings = z.infer<typeof notifySchema>;

/** Throws an Error with one sentence per problem; no secret is in it. */
export function readNotify(file: string, env: NodeJS.ProcessEnv): NotifySettings {
  let written: unknown;
  try {
    written = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    // Of what is no YAML, where, and not what: it may be a secret after all.
    const why =
      error instanceof YAMLParseError
        ? `no YAML in line ${error.linePos?.[0].line ?? 1}`
        : error instanceof Error && Reflect.get(error, 'code');
    throw new Error(`EPOCHAL_NOTIFY is ${JSON.stringify(file)}, which cannot be read: ${String(why)}`);
  }
  const { data, error } = notifySchema.safeParse(written);
  const problems = data
    ? Object.entries(data.targets).flatMap(([named, target]) => problemsOf(named, target, env))
    : (error?.issues ?? []).map((issue) => `${issue.path.join('.') || 'the file'}: ${messageOf(issue)}`);
  if (!data || problems.length > 0) throw new Error(`EPOCHAL_NOTIFY, ${file}: ${problems.join('; ')}`);
  return data;
}

/** A name that is none is told by a problem of its own. */
const messageOf = (issue: z.core.$ZodIssue): string =>
  (issue.code === 'invalid_key' && issue.issues[0]?.message) || issue.message;

function problemsOf(named: string, target: Target, env: NodeJS.ProcessEnv): string[] {
  const problem = (field: string, reference: string, isGood: (secret: string) => boolean, must: string) => {
    try {
      return isGood(secretAt(reference, env))
        ? []
        : [`targets.${named}.${field}: what is at ${reference} must be ${must}`];
    } catch (error) {
      return [`targets.${named}.${field}: ${error instanceof Error ? error.message : ''}`];
    }
  };
  const web = 'an http or https address without a user and a password in it';
  if ('slack' in target) return problem('slack', target.slack, isAddress, web);
  if ('teams' in target) return problem('teams', target.teams, isAddress, web);
  if ('email' in target)
    return problem(
      'email.server',
      target.email.server,
      isMailServer,
      'smtp://[user:password@]host[:port], or smtps://',
    );
  const { address, secret } = target.webhook;
  return [
    ...problem('webhook.address', address, isAddress, web),
    ...problem('webhook.secret', secret, (text) => keyOf(text) !== null, 'whsec_ and 24 to 64 bytes in base64'),
  ];
}
