/**
 * Who wanted a run, and who asked something of it. Ids are opaque: nothing is read out of them, no name and no address is in them. What keeps track of
 * people is not part of this; what it will need is kept from the first run on.
 */
import { z } from 'zod';
import { extensible } from './tolerance.ts';

const opaque = z.string().min(1).max(200);
/** They travel in every message of a run, with whatever a later version adds to them. */
const isShort = (value: unknown) => JSON.stringify(value).length <= 2_000;
const shortOnly = 'must be at most 2,000 characters as JSON';

/** `kind`: `person`, `service`, …; `via`: by what means, `cli`, `http`, `workflow`, …. */
export const actorSchema = extensible({ kind: opaque, id: opaque, via: opaque });

/** The last argument of each update of a run. */
export const askedSchema = extensible({
  by: actorSchema,
  /** Temporal's id of the update, too: asked twice, it is done once. */
  requestId: opaque,
  why: z.string().max(500).optional(),
}).refine(isShort, shortOnly);
export type Asked = z.infer<typeof askedSchema>;

/** What a run is part of, as whoever started it says: a study, a schedule. No person writes it into a configuration. */
export const originSchema = extensible({
  kind: opaque,
  id: opaque,
  trial: opaque.optional(),
  by: actorSchema.optional(),
  requestId: opaque.optional(),
}).refine(isShort, shortOnly);
export type Origin = z.infer<typeof originSchema>;
