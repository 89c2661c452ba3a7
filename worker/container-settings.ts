/** What containers of sessions may have, as the settings of the worker say. */
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import type { Limits } from '../contracts/run-container.ts';

export interface ContainerSettings {
  /** Every session is in one; false: those alone whose configuration or trainer names an image. */
  isForAll: boolean;
  /** `docker` or `podman`. */
  engine: string;
  /** `{trainer}` stands for the trainer's name. */
  image: string;
  /** Which ones configurations may name; `*` in them stands for any characters. */
  images: readonly string[];
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

/** `EPOCHAL_LAUNCHER`, and what containers have, whatever it says: a configuration or a trainer may ask for one. */
export const containerVariables = {
  EPOCHAL_LAUNCHER: z.enum(['process', 'container']).default('process'),
  EPOCHAL_CONTAINER_ENGINE: z.enum(['docker', 'podman']).default('docker'),
  EPOCHAL_CONTAINER_IMAGE: z
    .string()
    .regex(/^[a-z0-9{][\w./:@{}-]*$/i, {
      error: 'must be the name of an image; {trainer} stands for the name of the trainer',
    })
    .default(defaultImage),
  EPOCHAL_CONTAINER_IMAGES: z
    .string()
    .refine((text) => listOf(text).every((one) => /^[a-z0-9*][\w./:@*-]*$/i.test(one)), {
      error: 'must be names of images, separated by commas; * stands for any characters, and alone for every image',
    })
    .optional(),
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

/** Its tag and digest are part of it. */
export const isAllowedImage = (image: string, allowed: readonly string[]): boolean =>
  allowed.some((one) => {
    const parts = one.split('*').map((part) => part.replace(/[.]/g, '\\.'));
    return new RegExp(`^${parts.join('.*')}$`).test(image);
  });

/** With those of a configuration in place of the worker's. */
export function withLimits(settings: ContainerSettings, limits: Limits | undefined): ContainerSettings {
  const bytes = (size: number | undefined) => (size === undefined ? null : Math.round(size * gigabyte));
  return {
    ...settings,
    memoryBytes: bytes(limits?.memory) ?? settings.memoryBytes,
    cpus: limits?.cpus ?? settings.cpus,
    processes: limits?.processes ?? settings.processes,
    shmBytes: bytes(limits?.shm) ?? settings.shmBytes,
    diskBytes: bytes(limits?.disk) ?? settings.diskBytes,
  };
}

const listOf = (text: string) =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean);

type Values = z.infer<z.ZodObject<typeof containerVariables>>;

/** So far from those of people and services that no file of the host is theirs. */
const firstUser = 640_000;

export function readContainers(values: Values, isRoot = process.getuid?.() === 0): ContainerSettings {
  const bytes = (size: number | undefined) => (size === undefined ? null : Math.round(size * gigabyte));
  return {
    isForAll: values.EPOCHAL_LAUNCHER === 'container',
    engine: values.EPOCHAL_CONTAINER_ENGINE,
    image: values.EPOCHAL_CONTAINER_IMAGE,
    // Images of this host may hold what is not for everybody who may start a run.
    images: listOf(values.EPOCHAL_CONTAINER_IMAGES ?? ''),
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
