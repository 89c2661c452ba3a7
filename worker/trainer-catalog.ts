/** The trainers of this host: where they are, what they say of themselves, and what they say of a configuration. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, isAbsolute, join } from 'node:path';
import type { Failure } from '../contracts/failure.ts';
import type { TrainerList } from '../contracts/host-messages.ts';
import { name } from '../contracts/names.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import {
  type TrainerCheck,
  type TrainerManifest,
  trainerCheckSchema,
  trainerManifestSchema,
} from '../contracts/trainer-manifest.ts';
import { inGroups } from './in-groups.ts';
import { pathParameters } from './path-parameters.ts';
import { trainerSurroundings } from './program-environment.ts';
import { bytecodeFolder, ensureEnvironment, isEnvironmentReady, readRequirements } from './python-environments.ts';
import { type ProgramEnd, type RunOptions, runProgram } from './run-program.ts';
import { pythonSdkFolder } from './settings.ts';
import { readHeader } from './trainer-header.ts';

export interface TrainerProgram {
  name: string;
  /** Absolute path of its Python file. */
  file: string;
}

/** A trainer that cannot be used, as a typed failure with a sentence. */
export class TrainerProblem extends Error {
  override readonly name = 'TrainerProblem';
  constructor(readonly failure: Failure) {
    super(failure.message);
  }
}

/** `ContainerLauncher`, as far as a catalog needs it. */
export interface TrainerContainers {
  readonly engine: { readonly program: string; imageId(image: string): Promise<string | null> };
  imageForAll(program: Pick<TrainerProgram, 'name'>): string | null;
  ask(
    program: TrainerProgram,
    image: string,
    verb: readonly string[],
    reads: readonly string[],
    options: RunOptions,
  ): Promise<ProgramEnd>;
}

interface CallOptions {
  signal?: AbortSignal | undefined;
  onProgress?: (message: string) => void;
  /** Of the configuration that is asked about: it runs in that, in a container. */
  image?: string | undefined;
}

/** Of what the Python in an image is called. */
export const imagePython = 'python3';
const answerTimeout = 120_000;
/** Trainers that are asked what they are at the same time: each is a Python process, on a host that has a training to do. */
const describedAtOnce = 4;
/** A large data set is read once, and what was read is kept: the first check of it may take this long. */
const checkTimeout = 8 * 60_000;
const deepCheckTimeout = 55 * 60_000;
/** Begins a line on stderr that says how far a check is: `PROGRESS` in `epochal/trainer.py`. */
const progressMark = 'epochal progress: ';

export class TrainerCatalog {
  readonly #manifests = new Map<string, { modified: number; manifest: TrainerManifest }>();

  /** `tell` hears what is done that takes long: the environments that are made. */
  constructor(
    readonly folders: readonly string[],
    readonly tell: (trainer: string, doing: string) => void = () => undefined,
    /** In which trainers run that have an image, and are asked, too; null: all run on this host. */
    readonly containers: TrainerContainers | null = null,
  ) {}

  /** `<folder>/<name>/trainer.py` or `<folder>/<name>.py`; the first folder that has it wins. */
  async list(): Promise<TrainerProgram[]> {
    const found = new Map<string, TrainerProgram>();
    for (const folder of this.folders) {
      const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
      for (const entry of entries) {
        const file = entry.name.endsWith('.py') ? join(folder, entry.name) : join(folder, entry.name, 'trainer.py');
        const trainer = basename(entry.name, '.py');
        if (found.has(trainer) || !name.safeParse(trainer).success || !(await isFile(file))) continue;
        found.set(trainer, { name: trainer, file });
      }
    }
    return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async find(trainer: string): Promise<TrainerProgram | null> {
    return (await this.list()).find((program) => program.name === trainer) ?? null;
  }

  /** Every trainer with its manifest, or with what keeps it from telling one. Installs nothing: a list must be quick. */
  async manifests(options: CallOptions = {}): Promise<TrainerList> {
    const programs = await this.list();
    return inGroups(
      programs,
      async (program): Promise<TrainerList[number]> => {
        try {
          return {
            ok: true,
            manifest: await this.describe(program, options, await this.#quickPython(program, options)),
          };
        } catch (error) {
          options.signal?.throwIfAborted();
          const problem = error instanceof Error ? error.message : String(error);
          return { ok: false, name: program.name, problem };
        }
      },
      describedAtOnce,
    );
  }

  /** `python`: left out, the trainer's own, installed first where it is not. */
  async describe(program: TrainerProgram, options: CallOptions = {}, python?: string): Promise<TrainerManifest> {
    const modified = (await stat(program.file)).mtimeMs;
    // Another image may have another version of what it imports.
    const key = `${program.file}\0${options.image ?? ''}`;
    const known = this.#manifests.get(key);
    if (known?.modified === modified) return known.manifest;
    const answer = await this.#ask(
      python ?? (await this.environment(program, options)),
      program,
      ['describe'],
      options,
    );
    const parsed = trainerManifestSchema.safeParse(answer);
    if (!parsed.success) throw setUp(program, `its manifest is invalid: ${issueText(parsed.error.issues)}`);
    // What it runs in has to be known before it can be asked.
    const { image: _, ...said } = parsed.data;
    const image = await this.#ownImage(program);
    const manifest = { ...said, ...(image === null ? {} : { image }) };
    if (manifest.name !== program.name) {
      throw setUp(program, `its manifest names it ${manifest.name}; file and manifest must have the same name`);
    }
    this.#manifests.set(key, { modified, manifest });
    return manifest;
  }

  /**
   * The trainer's own word on parameters and data set, and the parameters with its defaults. `deep`: it looks at every image of the
   * data set, however long that takes.
   */
  async check(
    program: TrainerProgram,
    config: RunConfig,
    { deep = false, ...options }: CallOptions & { deep?: boolean } = {},
  ): Promise<TrainerCheck> {
    const { epochs, parameters, data, seed, image } = config;
    const asked = { ...options, image };
    const answer = await this.#ask(await this.environment(program, asked), program, ['check'], {
      ...asked,
      input: JSON.stringify({ epochs, parameters, data: data ?? null, seed, deep }),
      timeoutMs: deep ? deepCheckTimeout : checkTimeout,
      reads: (await this.imageOf(program, image)) === null ? [] : await this.#reads(program, config, asked),
    });
    const check = trainerCheckSchema.safeParse(answer);
    if (!check.success) throw setUp(program, `its answer to a check is invalid: ${issueText(check.error.issues)}`);
    return check.data;
  }

  /** What of this host a configuration names: its data set, and the paths among its parameters. */
  async #reads(program: TrainerProgram, { data, parameters }: RunConfig, options: CallOptions): Promise<string[]> {
    const paths = pathParameters((await this.describe(program, options)).parameters, parameters);
    return [...(data === undefined ? [] : [data]), ...paths.map(({ value }) => value)].filter((path) =>
      isAbsolute(path),
    );
  }

  /** That it runs in, in a container: the configuration's, its own, or that of all trainers of this host. Null: it runs on this host. */
  async imageOf(program: TrainerProgram, asked?: string): Promise<string | null> {
    if (this.containers === null) return null;
    return asked ?? (await this.#ownImage(program)) ?? this.containers.imageForAll(program);
  }

  async #ownImage(program: TrainerProgram): Promise<string | null> {
    try {
      return (await readHeader(program.file))?.image ?? null;
    } catch (error) {
      throw setUp(program, error instanceof Error ? error.message : String(error));
    }
  }

  /** Its Python, with its packages installed; slow the first time. In a container it is that of the image. Throws EngineProblem there. */
  async environment(program: TrainerProgram, options: CallOptions): Promise<string> {
    const { signal, onProgress: hear } = options;
    const image = await this.imageOf(program, options.image);
    if (image !== null) {
      await this.imageId(program, image);
      return imagePython;
    }
    const onProgress = (doing: string) => {
      this.tell(program.name, doing);
      hear?.(`Python environment of ${program.name}: ${doing}`);
    };
    try {
      const requirements = await readRequirements(program.file);
      return (await ensureEnvironment({ requirements, onProgress, signal })).python;
    } catch (error) {
      signal?.throwIfAborted();
      throw setUp(program, `its Python environment: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Of the image `image` on this host. Throws EngineProblem, and TrainerProblem where there is none. */
  async imageId(program: TrainerProgram, image: string): Promise<string> {
    if (this.containers === null) throw new Error(`this host runs no trainer in a container: ${image}`);
    const { engine } = this.containers;
    const id = await engine.imageId(image);
    if (id !== null) return id;
    const isOurs = image === this.containers.imageForAll(program);
    const remedy = isOurs ? `\`epochal images build ${program.name}\` makes one` : 'none is pulled';
    const message = `trainer ${program.name}: ${engine.program} has no image ${image} on this host: ${remedy}`;
    throw new TrainerProblem({ kind: 'noContainer', message: message.slice(0, 4000) });
  }

  /** Its Python where its packages are installed on this host, else null: installs nothing. */
  async readyPython(program: TrainerProgram, options: CallOptions = {}): Promise<string | null> {
    if ((await this.imageOf(program)) !== null) return null;
    const requirements = await readRequirements(program.file);
    return (await isEnvironmentReady(requirements, options.signal)) ? this.environment(program, options) : null;
  }

  /**
   * Its own Python where that is installed, else one with the SDK alone: a manifest needs no framework, as trainers
   * import theirs inside functions, and a framework may be gigabytes.
   */
  async #quickPython(program: TrainerProgram, options: CallOptions): Promise<string> {
    if ((await this.imageOf(program)) !== null) return this.environment(program, options);
    const own = await this.readyPython(program, options);
    if (own !== null) return own;
    const { signal, onProgress } = options;
    return (await ensureEnvironment({ requirements: [], onProgress, signal })).python;
  }

  async #run(
    python: string,
    program: TrainerProgram,
    verb: readonly string[],
    options: RunOptions,
    { reads, image }: { reads: readonly string[]; image: string | null },
  ): Promise<ProgramEnd> {
    if (this.containers && image !== null) return this.containers.ask(program, image, verb, reads, options);
    // Its own folder is a person's: what it writes by a relative path while it is asked goes nowhere.
    const folder = await mkdtemp(join(tmpdir(), 'epochal-trainer-'));
    const asked = { ...options, cwd: folder, env: trainerEnvironment(python) };
    return runProgram(python, [program.file, ...verb], asked).finally(() =>
      rm(folder, { recursive: true, force: true }),
    );
  }

  async #ask(
    python: string,
    program: TrainerProgram,
    verb: string[],
    options: CallOptions & { input?: string; timeoutMs?: number; reads?: readonly string[] },
  ): Promise<unknown> {
    const { code, stdout, tail } = await this.#run(
      python,
      program,
      verb,
      {
        timeoutMs: options.timeoutMs ?? answerTimeout,
        signal: options.signal,
        onLine: (line) => {
          if (line.startsWith(progressMark)) options.onProgress?.(line.slice(progressMark.length, 300));
        },
        ...(options.input === undefined ? {} : { input: options.input }),
      },
      { reads: options.reads ?? [], image: await this.imageOf(program, options.image) },
    );
    try {
      if (code === 0) return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
    } catch {
      throw setUp(program, `\`${verb[0]}\` printed no JSON: ${stdout.trim().split('\n').at(-1)?.slice(0, 200)}`);
    }
    throw setUp(
      program,
      `\`${verb[0]}\` ${code === null ? 'gave no answer' : `ended with code ${code}`}: ${pythonError(tail, program.file)}`,
    );
  }
}

/**
 * The environment of a trainer process on this interpreter: what it may see of ours, the SDK to import, and output that
 * is not held back. Bytecode is kept whatever our own environment says (compiling torch anew takes as long as importing
 * it, in every process), but not in the trainers' folders.
 */
export function trainerEnvironment(python: string): NodeJS.ProcessEnv {
  const surroundings = trainerSurroundings();
  const path = [pythonSdkFolder, surroundings.PYTHONPATH].filter(Boolean).join(delimiter);
  return {
    PYTHONPYCACHEPREFIX: bytecodeFolder(python),
    ...surroundings,
    PYTHONPATH: path,
    PYTHONUNBUFFERED: '1',
    PYTHONDONTWRITEBYTECODE: '',
  };
}

/**
 * What a Python program ended with, in one sentence for a table: the exception of its last traceback, and the line of `file` that
 * led there. Without a traceback, its last words.
 */
export function pythonError(output: string, file: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const traceback = lines.slice(lines.lastIndexOf('Traceback (most recent call last):') + 1);
  const error = traceback.length < lines.length ? traceback.find((line) => !/^\s/.test(line)) : lines.at(-1);
  const place = lines.map((line) => /^\s+File "(.+)", line (\d+)/.exec(line)).findLast((found) => found?.[1] === file);
  const words = error?.trim().slice(0, 500) ?? 'it printed nothing';
  return place ? `${words} (line ${place[2]} of ${basename(file)})` : words;
}

const setUp = (program: TrainerProgram, message: string) =>
  new TrainerProblem({
    kind: 'setUp',
    message: `trainer ${program.name} (${program.file}): ${message}`.slice(0, 4000),
  });

const issueText = (issues: readonly { path: readonly PropertyKey[]; message: string }[]) =>
  issues
    .slice(0, 3)
    .map(({ path, message }) => `${path.join('.')}: ${message}`)
    .join('; ');

const isFile = (path: string) =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
