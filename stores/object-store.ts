/**
 * A store in a bucket of a provider. Under a name there is only ever a whole object: the provider shows none before all of it has arrived,
 * and checks it by its SHA-256. Only where it says nothing of what it has checked is a copy read back.
 */
import { createHash, randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import type { PublishedFile } from '../contracts/receipt.ts';
import type { CopyProof } from '../contracts/receipt-facts.ts';
import {
  type ArtifactStore,
  DamagedError,
  type StoredPart,
  StoreError,
  type TransferOptions,
} from './artifact-store.ts';
import type { Bucket, BucketObject, LinkOptions } from './bucket.ts';
import { CopyProofs } from './copy-proofs.ts';
import { keyOfNote, notedSha256, noteKeyOf, noteText } from './digest-note.ts';
import { digestFile, type FileDigest } from './file-digest.ts';
import { guarded } from './file-errors.ts';
import { openObject } from './object-download.ts';
import { ObjectRoot } from './object-root.ts';
import { type Upload, uploadBytes, uploadFile } from './object-upload.ts';
import { removeStaleParts, renamePart, withPartFile } from './part-file.ts';
import { patient, type RetryOptions, type RetryPolicy } from './retries.ts';
import { sha256Of } from './sha256.ts';
import { collect } from './stalled.ts';
import { entryAt, isSame, shownDigest, syncFolder, withRegularFile, writeWhole } from './whole-file.ts';
import { probeWriting } from './write-probe.ts';

/** An upload whose last part is older than this is nobody's: other hosts may be at theirs. */
const hour = 60 * 60 * 1000;
/** Times that a file is read again whose bytes arrive as others. */
const mostReads = 3;
/** Who asks whether a configuration will do waits for the answer. */
const mostTriesOfCheck = 4;

export interface ObjectStoreOptions {
  bucket: Bucket;
  /** Of all keys, without slashes at its ends. */
  prefix: string;
  /** As of `FileStore`. */
  isStore: boolean;
  identity: string | null;
  retries?: RetryPolicy;
  staleMs?: number;
}

export class ObjectStore implements ArtifactStore {
  readonly address: string;
  readonly #bucket: Bucket;
  readonly #proofs = new CopyProofs();
  readonly #staleMs: number;
  readonly #root: ObjectRoot;
  /** The same, for who does not wait long. */
  readonly #checks: ObjectRoot;

  constructor({ bucket, prefix, isStore, identity, retries = patient, staleMs = hour }: ObjectStoreOptions) {
    this.#staleMs = staleMs;
    this.#bucket = bucket;
    this.#root = new ObjectRoot(bucket, prefix, isStore, identity, retries);
    const brief = { ...retries, tries: Math.min(retries.tries, mostTriesOfCheck) };
    this.#checks = new ObjectRoot(bucket, prefix, isStore, identity, brief);
    this.address = this.#root.address;
  }

  async checkWritable(isKnown: boolean): Promise<void> {
    if (isKnown || this.#checks.wanted !== null) await this.#checks.requirePresent();
    await probeWriting(this.#checks);
  }

  async prepare(isKnown: boolean): Promise<void> {
    await this.checkWritable(isKnown);
    await this.#checks.mark();
  }

  async identity(): Promise<string | null> {
    await this.#root.requirePresent();
    return this.#root.identity();
  }

  async publish(localFile: string, path: string, options: TransferOptions = {}): Promise<PublishedFile> {
    const { signal } = options;
    const key = this.#root.keyOf(path);
    return withRegularFile(localFile, async (source) => {
      const { size } = await source.stat();
      await this.#root.requirePresent(options);
      const there = await this.#head(key, path, options);
      if (there?.size === size) {
        const { sha256 } = await digestFile(localFile, { signal });
        if ((await this.#digestOf(path, there, options)) === sha256) {
          options.onBytes?.(size);
          return { path, size, sha256 };
        }
      }
      const upload = await uploadFile(this.#root, path, source, size, options);
      return this.#proved(path, upload, options);
    });
  }

  async write(path: string, content: string | Uint8Array): Promise<PublishedFile> {
    await this.#root.requirePresent();
    return this.#proved(path, await uploadBytes(this.#root, path, Buffer.from(content), {}), {});
  }

  async create(path: string, content: string): Promise<boolean> {
    const key = this.#root.keyOf(path);
    const bytes = Buffer.from(content);
    const writer = randomUUID();
    await this.#root.requirePresent();
    return this.#root.tried(`cannot write ${this.#root.shown(path)}`, {}, async (isAmbiguous) => {
      if (await this.#bucket.put(key, bytes, sha256Of(bytes), { ifAbsent: true, writer })) return true;
      // It may be ours, by a try whose answer was lost.
      return isAmbiguous && (await this.#bucket.head(key, {}))?.writer === writer;
    });
  }

  async fetch(
    path: string,
    localFile: string,
    expected: Pick<PublishedFile, 'size' | 'sha256'>,
    options: TransferOptions = {},
  ): Promise<void> {
    const shown = this.#root.shown(path);
    if (await entryAt(localFile)) throw new StoreError(`cannot fetch to ${localFile}: it exists already`, false);
    for (let read = 1; ; read += 1) {
      const opened = await this.#open(path, options);
      if (!opened) throw new StoreError(`cannot fetch ${shown}: it does not exist`, false);
      const copied = await guarded(
        `cannot fetch ${shown} to ${localFile}`,
        async () => {
          await removeStaleParts(localFile);
          const digest = await withPartFile(localFile, async (part) => {
            const fill = async (sink: (bytes: Uint8Array) => Promise<void>) => {
              for await (const chunk of opened.bytes) await sink(chunk);
            };
            const written = await writeWhole(part, fill, options);
            if (isSame(written, expected)) await renamePart(part, localFile);
            return written;
          });
          await syncFolder(dirname(localFile));
          return digest;
        },
        options.signal,
      );
      if (isSame(copied, expected)) return;
      const found = `${shownDigest(copied)} where ${shownDigest(expected)} is expected`;
      if (read === mostReads) throw new DamagedError(`${shown} is damaged: ${found}`);
      options.onWait?.(`${shown} arrived damaged: ${found}; reading it again`);
    }
  }

  async read(path: string): Promise<Uint8Array | null> {
    for (let read = 1; ; read += 1) {
      const opened = await this.#open(path, {});
      if (!opened) return null;
      const bytes = await collect(opened.bytes);
      const expected = opened.object.sha256;
      const found = { size: bytes.length, sha256: Buffer.from(sha256Of(bytes)).toString('hex') };
      if (expected === null || expected === found.sha256) return bytes;
      if (read === mostReads)
        throw new DamagedError(
          `${this.#root.shown(path)} is damaged: ${shownDigest(found)} where ${shownDigest({ size: opened.object.size, sha256: expected })} is expected`,
        );
    }
  }

  async readPart(path: string, offset: number, length: number): Promise<StoredPart | null> {
    const opened = await this.#open(path, {}, { offset, length });
    return opened && { bytes: await collect(opened.bytes), size: opened.object.size };
  }

  async link(path: string, options: LinkOptions): Promise<string | null> {
    const key = this.#root.keyOf(path);
    await this.#root.requirePresent();
    return this.#checks.tried(
      `cannot make a link to ${this.#root.shown(path)}`,
      {},
      async () => (await this.#bucket.link?.(key, options)) ?? null,
    );
  }

  async verify(path: string, options: TransferOptions = {}): Promise<PublishedFile | null> {
    const there = await this.#head(this.#root.keyOf(path), path, options);
    if (!there) {
      await this.#root.requirePresent(options);
      return null;
    }
    return { path, size: there.size, sha256: await this.#digestOf(path, there, options) };
  }

  proofOf(path: string): CopyProof | null {
    return this.#proofs.of(path);
  }

  async *list(folder: string): AsyncIterable<{ path: string; size: number }> {
    const prefix = `${this.#root.keyOf(folder)}/`;
    await this.#root.requirePresent();
    for await (const { key, size } of this.#listed(prefix, folder))
      if (keyOfNote(key) === null) yield { path: this.#root.pathOf(key), size };
  }

  async remove(path: string): Promise<void> {
    const key = this.#root.keyOf(path);
    const doing = `cannot remove ${this.#root.shown(path)}`;
    await this.#root.requirePresent();
    const keys = this.#bucket.keepsDigest ? [key] : [key, noteKeyOf(key)];
    for await (const below of this.#listed(`${key}/`, path)) keys.push(below.key);
    await this.#delete(doing, keys);
    await this.#abortUploads(doing, key, async (of) => of === key || of.startsWith(`${key}/`));
  }

  async removeFiles(paths: readonly string[]): Promise<void> {
    const keys = paths.map((path) => this.#root.keyOf(path));
    await this.#root.requirePresent();
    const doing = `cannot remove files of ${this.address}`;
    await this.#delete(doing, this.#bucket.keepsDigest ? keys : keys.flatMap((key) => [key, noteKeyOf(key)]));
  }

  async tidy(folder: string): Promise<void> {
    const key = this.#root.keyOf(folder);
    const doing = `cannot tidy ${this.#root.shown(folder)}`;
    await this.#root.requirePresent();
    await this.#abortUploads(doing, `${key}/`, async (of, upload, begunAt) => {
      const parts = await this.#bucket.parts?.(of, upload, {});
      const times = [begunAt, ...(parts ?? []).map(({ storedAt }) => storedAt)].map((time) => time?.getTime() ?? 0);
      return this.#bucket.now() - Math.max(...times) > this.#staleMs;
    });
    const [noted, there] = [new Map<string, string>(), new Set<string>()];
    for await (const one of this.#listed(`${key}/`, folder)) {
      const about = keyOfNote(one.key);
      if (about === null) there.add(one.key);
      else noted.set(about, one.key);
    }
    const strays = [...noted].flatMap(([about, note]) => (there.has(about) ? [] : [note]));
    await this.#delete(doing, strays);
  }

  /** Null when the store is there and has nothing there. */
  async #open(path: string, options: RetryOptions, range: { offset: number; length?: number } = { offset: 0 }) {
    this.#root.keyOf(path);
    const opened = await openObject(this.#root, path, range, options);
    if (opened && this.#root.wanted === null) return opened;
    await this.#root.requirePresent(options);
    return opened;
  }

  async #head(key: string, path: string, options: RetryOptions): Promise<BucketObject | null> {
    if (this.#root.wanted !== null) await this.#root.requirePresent(options);
    return this.#root.tried(`cannot read ${this.#root.shown(path)}`, options, () => this.#bucket.head(key, options));
  }

  async *#listed(prefix: string, path: string): AsyncIterable<{ key: string; size: number }> {
    // A page that failed is asked for again by the list after it: what was told is not told twice.
    let last = '';
    const doing = `cannot list ${this.#root.shown(path)}`;
    const retries = this.#root.retries(doing, {});
    const call = { moved: () => retries.progressed() };
    for (;;) {
      try {
        for await (const one of this.#bucket.list(prefix, call, last)) {
          last = one.key;
          retries.progressed();
          yield one;
        }
        return;
      } catch (error) {
        await retries.failed(error);
      }
    }
  }

  async #delete(doing: string, keys: readonly string[]): Promise<void> {
    const most = this.#bucket.limits.deletes;
    for (let from = 0; from < keys.length; from += most)
      await this.#root.tried(doing, {}, () => this.#bucket.delete(keys.slice(from, from + most), {}));
  }

  async #abortUploads(
    doing: string,
    prefix: string,
    isToGo: (key: string, upload: string, begunAt: Date | null) => Promise<boolean>,
  ): Promise<void> {
    await this.#root.tried(doing, {}, async () => {
      const left: { key: string; upload: string }[] = [];
      for await (const one of this.#bucket.uploads(prefix, {}))
        if (await isToGo(one.key, one.upload, one.begunAt)) left.push(one);
      for (const { key, upload } of left) await this.#bucket.abortUpload(key, upload, {});
    });
  }

  /** The SHA-256 of an object in hexadecimal: as its provider has checked it, or noted beside it, else by reading it. */
  async #digestOf(path: string, object: BucketObject, options: TransferOptions): Promise<string> {
    this.#proofs.note(path, 'checksum');
    if (object.sha256 !== null) return object.sha256;
    const note = this.#root.pathOf(noteKeyOf(this.#root.keyOf(path)));
    const opened = await openObject(this.#root, note, { offset: 0, length: 4096 }, options);
    const noted = opened && notedSha256((await collect(opened.bytes)).toString('utf8'), object);
    return noted ?? (await this.#readBack(path, options)).sha256;
  }

  async #readBack(path: string, options: TransferOptions): Promise<FileDigest> {
    const opened = await openObject(this.#root, path, { offset: 0 }, options);
    if (!opened) throw new StoreError(`cannot read ${this.#root.shown(path)}: it was removed meanwhile`, true);
    const hash = createHash('sha256');
    for await (const chunk of opened.bytes) hash.update(chunk);
    this.#proofs.note(path, 'readBack');
    return { size: opened.object.size, sha256: hash.digest('hex') };
  }

  async #proved(path: string, upload: Upload, options: TransferOptions): Promise<PublishedFile> {
    const { size, sha256, etag, parts } = upload;
    this.#proofs.note(path, 'checksum');
    if (!upload.proved) {
      const found = await this.#readBack(path, options);
      if (!isSame(found, upload))
        throw new StoreError(
          `cannot write ${this.#root.shown(path)}: it reads back as ${shownDigest(found)} where ${shownDigest(upload)} was written`,
          true,
        );
    }
    if (parts > 1 && etag && !this.#bucket.keepsDigest) {
      const note = this.#root.pathOf(noteKeyOf(this.#root.keyOf(path)));
      await uploadBytes(this.#root, note, Buffer.from(noteText({ etag, size, sha256 })), options);
    }
    return { path, size, sha256 };
  }
}
