/** What a configuration, or a trainer, may ask of the container that a session runs in. */
import { z } from 'zod';

/** As engines take it: a repository, with a registry before it, and a tag or a digest after it. Never an option of their command line. */
export const imageReference = z
  .string()
  .min(1)
  .max(500)
  .refine((image) => /^[a-z0-9][\w./:@-]*$/i.test(image), {
    error: 'must be the name of an image, such as registry.example/team/trainer:1.4',
  });

/** Of memory and disks, in 10⁹ bytes; no container starts with less. */
const gigabytes = z.number().min(0.01).max(1_000_000);

export const limitsSchema = z.strictObject({
  memory: gigabytes
    .optional()
    .describe('Memory, in gigabytes; the kernel ends a trainer that takes more, which counts as out of memory.'),
  cpus: z.number().min(0.01).max(4096).optional().describe('CPUs, also a part of one.'),
  processes: z.int().min(16).max(1_000_000).optional().describe('Processes and threads.'),
  shm: gigabytes
    .optional()
    .describe(
      'Size of `/dev/shm`, by which data loaders hand over batches, and that of `/tmp`, in gigabytes; both count as memory.',
    ),
  disk: gigabytes
    .optional()
    .describe('What the run folder may take on the host, in gigabytes; a session that takes more is ended.'),
});
export type Limits = z.infer<typeof limitsSchema>;
