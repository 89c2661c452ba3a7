/** A Temporal server with a database file that can be killed and started again under the same address. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureTemporalBinary } from '../../launch/temporal-binary.ts';
import { startTemporalServer, type TemporalServer } from '../../launch/temporal-server.ts';
import { until } from '../support/until.ts';

export class FaultServer {
  private constructor(
    readonly address: string,
    private readonly folder: string,
    private readonly binary: string,
    private server: TemporalServer,
  ) {}

  /** Its files are below `folder`. */
  static async start(folder: string): Promise<FaultServer> {
    const { path: binary } = await ensureTemporalBinary({ onProgress: () => undefined });
    const server = await startTemporalServer(optionsFor(folder, binary));
    return new FaultServer(server.address, folder, binary, server);
  }

  /** SIGKILL: nothing is flushed, nobody is told. */
  async kill(): Promise<void> {
    process.kill(this.server.pid, 'SIGKILL');
    await this.server.ended;
  }

  /** Answers once it serves again. */
  async restart(): Promise<void> {
    const port = Number(this.address.split(':')[1]);
    this.server = await until('the server has its address again', async () => {
      const server = await startTemporalServer({ ...optionsFor(this.folder, this.binary), port });
      if (server.address === this.address) return server;
      await server.stop();
      return null;
    });
  }

  async stop(): Promise<void> {
    await this.server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

const optionsFor = (folder: string, binary: string) => ({
  binary,
  logFile: join(folder, 'temporal.log'),
  databaseFile: join(folder, 'temporal.db'),
  ui: false,
});
