/** What containers of sessions may have, as the settings of the worker say. */
import { isAbsolute } from 'node:path';
import { z } from 'zod';

export interface ContainerSettings {
  /** `docker` or `podman`. */
  engine: string;
  /** `{trainer}` stands for the trainer's name. */
  image: string;
  /** A network of the engine; `none`: nothing but the loopback of the container. */
  network: string;
  /** Limits of one session; null: none. Bytes. */
  memoryBytes: number | null;
  cpus: number | null;
  processes: number;
  shmBytes: number;
  /** Of the run folder; null: none. */
  diskBytes: number | null;
  /** The number of the user of the first slot, the others following. Null: that of the worker. */
  user: number | null;
  /** Folders of the host that every trainer may read, or write. */
  shared: { path: string; writable: boolean }[];
}

/** As `epochal images build` calls them. */
export const defaultImage = 'epochal-trainer-{trainer}';

const gigabyte = 1e9;
const gigabytes = z.coerce.number().min(0.001).max(1_000_000);
const shared = z
  .string()
  .refine((text) => sharedFolders(text).every(({ path }) => isAbsolute(path)), {
    error: 'must be absolute paths of folders, separated by ":", each with ! at its end where trainers may write',
  })
  .optional();

/** `EPOCHAL_LAUNCHER`, and those that are read where it is `container`. */
export const containerVariables = {
  EPOCHAL_LAUNCHER: z.enum(['process', 'container']).default('process'),
  EPOCHAL_CONTAINER_ENGINE: z.enum(['docker', 'podman']).default('docker'),
  EPOCHAL_CONTAINER_IMAGE: z
    .string()
    .regex(/^[a-z0-9{][\w./:@{}-]*$/i, {
      error: 'must be the name of an image; {trainer} stands for the name of the trainer',
    })
    .default(defaultImage),
  EPOCHAL_CONTAINER_NETWORK: z
    .string()
    .regex(/^(?!host$|container:)[\w.-]+$/, { error: 'must be the name of a network of the engine, or none; not host' })
    .default('none'),
  EPOCHAL_CONTAINER_MEMORY_GB: gigabytes.optional(),
  EPOCHAL_CONTAINER_CPUS: z.coerce.number().min(0.01).max(4096).optional(),
  EPOCHAL_CONTAINER_PROCESSES: z.coerce.number().int().min(16).max(1_000_000).default(4096),
  EPOCHAL_CONTAINER_SHM_GB: gigabytes.default(8),
  EPOCHAL_CONTAINER_DISK_GB: gigabytes.optional(),
  EPOCHAL_CONTAINER_USER: z.coerce.number().int().min(1).max(2_000_000_000).optional(),
  EPOCHAL_CONTAINER_SHARED: shared,
} as const;

export const imageName = (image: string, trainer: string): string => image.replaceAll('{trainer}', trainer);

type Values = z.infer<z.ZodObject<typeof containerVariables>>;

/** So far from those of people and services that no file of the host is theirs. */
const firstUser = 640_000;

/** Null: sessions are processes of this host. */
export function readContainers(values: Values, isRoot = process.getuid?.() === 0): ContainerSettings | null {
  if (values.EPOCHAL_LAUNCHER !== 'container') return null;
  const bytes = (size: number | undefined) => (size === undefined ? null : Math.round(size * gigabyte));
  return {
    engine: values.EPOCHAL_CONTAINER_ENGINE,
    image: values.EPOCHAL_CONTAINER_IMAGE,
    network: values.EPOCHAL_CONTAINER_NETWORK,
    memoryBytes: bytes(values.EPOCHAL_CONTAINER_MEMORY_GB),
    cpus: values.EPOCHAL_CONTAINER_CPUS ?? null,
    processes: values.EPOCHAL_CONTAINER_PROCESSES,
    shmBytes: bytes(values.EPOCHAL_CONTAINER_SHM_GB) ?? 0,
    diskBytes: bytes(values.EPOCHAL_CONTAINER_DISK_GB),
    // Only root can give a run folder to another user, and read and remove what that one writes.
    user: isRoot ? (values.EPOCHAL_CONTAINER_USER ?? firstUser) : null,
    shared: sharedFolders(values.EPOCHAL_CONTAINER_SHARED ?? ''),
  };
}

function sharedFolders(text: string): ContainerSettings['shared'] {
  const folders = text.split(':').filter(Boolean);
  return folders.map((folder) => ({ path: folder.replace(/!$/, ''), writable: folder.endsWith('!') }));
}
