/** A store on a real S3 server, by a proxy that throttles, cuts, delays, damages and loses, while a schedule is played. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { FaultProxy, type Seen } from '../stores/servers/fault-proxy.ts';
import { type S3Server, setup, testBucket } from '../stores/servers/s3-server.ts';

export class FaultyS3 {
  private constructor(
    readonly server: S3Server,
    readonly proxy: FaultProxy,
    private readonly stop: () => Promise<void>,
  ) {}

  /** Null where there is no server and none can be had, which it says; in CI that is an error. */
  static async open(): Promise<FaultyS3 | null> {
    let server: S3Server | null = null;
    const project = { provide: (_: string, provided: S3Server | null) => (server = provided) };
    const stop = await setup(project as unknown as TestProject);
    if (server !== null) return new FaultyS3(server, await FaultProxy.to((server as S3Server).endpoint), stop);
    await stop();
    return null;
  }

  /** Of a worker. */
  get environment(): Record<string, string> {
    return {
      AWS_ENDPOINT_URL_S3: this.proxy.endpoint,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: this.server.accessKey,
      AWS_SECRET_ACCESS_KEY: this.server.secretKey,
      EPOCHAL_ALLOWED_STORES: `s3://${testBucket}`,
    };
  }

  /** It has a folder for each bucket. */
  readonly onDisk = (address: string): string =>
    address.startsWith('s3://') ? join(this.server.folder, address.slice('s3://'.length)) : address;

  /** The address of a store for the runs of a schedule; from now on requests fail. */
  begin(): string {
    this.proxy.heal();
    // Counted, and not drawn: of the four tries that the check of a configuration has, three fail at most.
    const every = (count: number, method?: string) => {
      let seen = 0;
      return (one: Seen) => (method === undefined || one.method === method) && ++seen % count === 0;
    };
    const always = Number.POSITIVE_INFINITY;
    this.proxy.break(every(5, 'PUT'), { kind: 'answer', status: 503, headers: { 'retry-after': '1' } }, always);
    this.proxy.break(every(10), { kind: 'loseAnswer' }, always);
    this.proxy.break(every(7, 'PUT'), { kind: 'corruptRequest' }, always);
    this.proxy.break(every(5, 'GET'), { kind: 'cutAnswer', after: 10 }, always);
    this.proxy.break(every(7, 'GET'), { kind: 'corruptAnswer' }, always);
    this.proxy.break(every(6), { kind: 'delay', ms: 300 }, always);
    return `s3://${testBucket}/${randomUUID()}`;
  }

  /** Nothing fails any longer. Answers how much was asked, and refused. */
  end(): string {
    const { seen } = this.proxy;
    const told = `${seen.length} requests, ${seen.filter(({ status }) => status === 503).length} of them throttled`;
    this.proxy.heal();
    return told;
  }

  async close(): Promise<void> {
    await this.proxy.close();
    await this.stop();
  }
}
