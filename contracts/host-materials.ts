/** `trainerMaterials(question)` on `hostControlQueue(host)`: what a run that the host started now would be made of. */
import { z } from 'zod';
import { name } from './names.ts';
import { materialsSchema } from './receipt-facts.ts';
import { runConfigSchema } from './run-config.ts';
import { extensible } from './tolerance.ts';

export const materialsQuestionSchema = z.object({
  trainer: name,
  code: runConfigSchema.shape.code,
  image: runConfigSchema.shape.image,
});
export type MaterialsQuestion = z.infer<typeof materialsQuestionSchema>;

/** Published with a run: the Python packages of its last session, a line for each. */
export const packagesFile = 'packages.txt';
/** Characters of a list of packages: more than any environment has. */
export const mostOfPackages = 250_000;

export const hostMaterialsSchema = extensible({
  host: z.string(),
  materials: materialsSchema,
  /** As `packages.txt` would have them; null where the trainer's environment is not installed there, or does not tell. */
  packages: z.string().max(mostOfPackages).nullable(),
});
export type HostMaterials = z.infer<typeof hostMaterialsSchema>;
