/** Whether a configuration asks of containers what this host has, and may give. */
import { shownValue } from '../contracts/config-problems.ts';
import type { ConfigProblem } from '../contracts/failure.ts';
import type { RunConfig } from '../contracts/run-config.ts';
import type { Limits } from '../contracts/run-container.ts';
import { type ContainerSettings, isAllowedImage } from './container-settings.ts';

type Asked = Pick<RunConfig, 'image' | 'limits'>;

/** What is against the settings of this host. `image`: that the session would run in; null: none. */
export function containerProblems(
  asked: Asked,
  image: string | null,
  settings: ContainerSettings | null,
): ConfigProblem[] {
  const { limits } = asked;
  const problems: ConfigProblem[] = [];
  if (asked.image !== undefined && settings && !isAllowedImage(asked.image, settings.images)) {
    const allowed = settings.images.length > 0 ? `must be one of ${settings.images.join(', ')}` : 'must be left out';
    problems.push(problem('image', asked.image, `${allowed} (EPOCHAL_CONTAINER_IMAGES of the worker)`));
  }
  if (asked.image !== undefined && !settings) {
    problems.push(problem('image', asked.image, 'must be left out: this host runs no trainer in a container'));
  }
  if (limits === undefined) return problems;
  if (!settings || image === null) {
    const why =
      'must be left out, or an image given: limits are those of a container, and the trainer would be a process of the host (EPOCHAL_LAUNCHER of the worker)';
    return [...problems, problem('limits', limits, why)];
  }
  return [...problems, ...beyond(limits, settings)];
}

function beyond(limits: Limits, settings: ContainerSettings): ConfigProblem[] {
  const gigabyte = 1e9;
  const most: [keyof Limits, number | null, string][] = [
    ['memory', settings.memoryBytes && settings.memoryBytes / gigabyte, 'MEMORY_GB'],
    ['cpus', settings.cpus, 'CPUS'],
    ['processes', settings.processes, 'PROCESSES'],
    ['shm', settings.shmBytes / gigabyte, 'SHM_GB'],
    ['disk', settings.diskBytes && settings.diskBytes / gigabyte, 'DISK_GB'],
  ];
  return most.flatMap(([name, bound, variable]) => {
    const value = limits[name];
    if (value === undefined || bound === null || value <= bound) return [];
    return problem(`limits.${name}`, value, `must be at most ${bound} (EPOCHAL_CONTAINER_${variable} of the worker)`);
  });
}

const problem = (field: string, value: unknown, message: string): ConfigProblem => ({
  field,
  value: shownValue(value),
  message,
});
