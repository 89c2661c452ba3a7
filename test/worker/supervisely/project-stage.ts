/** A server with projects for the tests of a file, and what a worker downloads from it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, vi } from 'vitest';
import { patient } from '../../../stores/retries.ts';
import { SuperviselyProjects } from '../../../worker/supervisely/projects.ts';
import { TeamFilesStandIn } from '../../stores/servers/team-files-stand-in.ts';
import { addProject, exampleProject } from './example-project.ts';

export const token = 'not-a-token-of-anybody';

export class ProjectStage {
  server!: TeamFilesStandIn;
  endpoint!: string;
  folder!: string;
  /** What runs of this host train on. */
  readonly inUse = new Set<string>();
  onProgress: (counted?: { done: number; total: number }) => void = () => undefined;
  readonly told: [string, { done: number; total: number }?][] = [];

  hooks(): void {
    beforeEach(async () => {
      this.server = new TeamFilesStandIn(token);
      addProject(this.server.data, exampleProject());
      this.endpoint = await this.server.listen();
      this.folder = await mkdtemp(join(tmpdir(), 'epochal-projects-'));
      this.inUse.clear();
      this.told.length = 0;
      this.onProgress = () => undefined;
      vi.stubEnv('SERVER_ADDRESS', this.endpoint);
      vi.stubEnv('API_TOKEN', token);
    });
    afterEach(async () => {
      vi.unstubAllEnvs();
      await this.server.close();
      await rm(this.folder, { recursive: true, force: true });
    });
  }

  /** As another process has it: nothing but the folder stays. */
  projects(tries = 1): SuperviselyProjects {
    return new SuperviselyProjects(this.folder, async () => this.inUse, { ...patient, tries, firstMs: 5 });
  }

  get(data: string, { tries = 1, signal = new AbortController().signal } = {}) {
    const onProgress = (doing: string, counted?: { done: number; total: number }) => {
      this.told.push(counted ? [doing, counted] : [doing]);
      this.onProgress(counted);
    };
    return this.projects(tries).get(data, { signal, onProgress });
  }

  count(method: string): number {
    return this.server.asked.filter((one) => one === method).length;
  }
}
