/** A store of its own on a provider's server for each test, reached through a proxy that breaks what it is told to. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { ArtifactStore } from '../../../stores/artifact-store.ts';
import type { Bucket, PartsBucket } from '../../../stores/bucket.ts';
import { ObjectStore, type ObjectStoreOptions } from '../../../stores/object-store.ts';
import { openStore } from '../../../stores/open-store.ts';
import { patient } from '../../../stores/retries.ts';
import { FaultProxy } from './fault-proxy.ts';

export interface BucketSizes {
  partBytes?: number;
  pageSize?: number;
}

export class ObjectStage<Kind extends Bucket = PartsBucket> {
  proxy!: FaultProxy;
  /** For local files. */
  folder!: string;
  address!: string;
  store!: ArtifactStore;

  constructor(
    /** Of addresses, with the bucket: `az://container`. */
    readonly root: string,
    readonly bucket: (sizes?: BucketSizes) => Kind,
    readonly server: () => { endpoint: string },
    /** What a process needs to use the server at `endpoint`. */
    readonly environment: (endpoint: string) => Record<string, string>,
    /** Bytes of a part, so that a file of several is small. */
    readonly smallPart = 1 << 20,
  ) {}

  /** Bytes of a file of three small parts. */
  get large(): number {
    return Math.round(this.smallPart * 2.4);
  }

  /** The hooks of a test file. */
  hooks(): void {
    let before: NodeJS.ProcessEnv;
    beforeAll(async () => {
      before = { ...process.env };
      this.proxy = await FaultProxy.to(this.server().endpoint);
      Object.assign(process.env, this.environment(this.proxy.endpoint));
    });
    afterAll(async () => {
      process.env = before;
      await this.proxy.close();
    });
    beforeEach(async () => {
      this.folder = await mkdtemp(join(tmpdir(), 'epochal-object-test-'));
      this.address = `${this.root}/${randomUUID()}/store`;
      this.store = openStore(this.address);
      await this.store.prepare(false);
      this.proxy.heal();
    });
    afterEach(async () => {
      this.proxy?.heal();
      await rm(this.folder, { recursive: true, force: true });
    });
  }

  /** Of all keys of the store. */
  get prefix(): string {
    return this.address.slice(this.root.length + 1);
  }

  /** The same store as another process opens it, with small parts. */
  inSmallParts({ pageSize, ...options }: Partial<ObjectStoreOptions> & { pageSize?: number } = {}): ObjectStore {
    const bucket = this.bucket({ partBytes: this.smallPart, ...(pageSize ? { pageSize } : {}) });
    return new ObjectStore({ bucket, prefix: this.prefix, isStore: true, identity: null, ...options });
  }

  /** That one gives up after few tries. */
  impatient(options: Partial<ObjectStoreOptions> = {}): ObjectStore {
    return this.inSmallParts({ retries: { ...patient, tries: 2, firstMs: 5 }, ...options });
  }

  async local(name: string, content: string | Uint8Array): Promise<string> {
    await writeFile(join(this.folder, name), content);
    return join(this.folder, name);
  }

  async paths(folder: string): Promise<string[]> {
    const found: string[] = [];
    for await (const { path } of this.inSmallParts().list(folder)) found.push(path);
    return found;
  }

  /** Keys with uploads that were begun and not ended. */
  async uploadsLeft(): Promise<string[]> {
    const left: string[] = [];
    for await (const { key } of this.bucket().uploads(`${this.prefix}/`, {})) left.push(key);
    return left;
  }
}

/** `work` in a process with these variables in the place of its own. */
export async function withVariables<T>(change: Record<string, string | undefined>, work: () => Promise<T>): Promise<T> {
  const before = { ...process.env };
  for (const [name, value] of Object.entries(change))
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  try {
    return await work();
  } finally {
    process.env = before;
  }
}
