/** What a configuration may ask of containers, and in which words it is refused. */
import { describe, expect, it, test } from 'vitest';
import { z } from 'zod';
import { problemSentence } from '../../contracts/failure.ts';
import { runConfigSchema } from '../../contracts/run-config.ts';
import { containerProblems } from '../../worker/container-checks.ts';
import { containerVariables, isAllowedImage, readContainers, withLimits } from '../../worker/container-settings.ts';
import { EngineProblem } from '../../worker/engine-problem.ts';
import { ContainerEngine } from '../../worker/launchers/container-engine.ts';
import { startProblem } from '../../worker/session-start.ts';

const settingsOf = (variables: Record<string, string>) => readContainers(z.object(containerVariables).parse(variables));
const sentences = (...asked: Parameters<typeof containerProblems>) => containerProblems(...asked).map(problemSentence);
const config = { trainer: 'digits', epochs: 1 };

describe('the image of a configuration', () => {
  it('is one that the host allows, and none where it says of none', () => {
    const allowed = settingsOf({ EPOCHAL_CONTAINER_IMAGES: 'team/digits:1.4, registry.example/vision/*' });
    expect(sentences({ image: 'registry.example/vision/yolo:2' }, 'x', allowed)).toEqual([]);
    expect(sentences({ image: 'team/digits:1.5' }, 'x', allowed)).toEqual([
      'image is "team/digits:1.5": must be one of team/digits:1.4, registry.example/vision/* (EPOCHAL_CONTAINER_IMAGES of the worker)',
    ]);
    expect(sentences({ image: 'digits' }, 'digits', settingsOf({}))).toEqual([
      'image is "digits": must be left out (EPOCHAL_CONTAINER_IMAGES of the worker)',
    ]);
    expect(sentences({ image: 'digits' }, null, null)).toEqual([
      'image is "digits": must be left out: this host runs no trainer in a container',
    ]);
  });

  it.each([
    ['a.example/b', 'a.example/b', true],
    ['a.example/b', 'axexample/b', false],
    ['team/*', 'team/x:1', true],
    ['team/*', 'other/team/x', false],
    ['*', 'anything@sha256:0', true],
  ])('%s allows %s: %s', (allowed, image, expected) => {
    expect(isAllowedImage(image, [allowed])).toBe(expected);
  });

  it.each(['--privileged', '-v', 'a b', 'a,b', ''])('is never %j', (image) => {
    expect(runConfigSchema.safeParse({ ...config, image }).success).toBe(false);
  });
});

describe('the limits of a configuration', () => {
  it('are at most those of the host, and only where the trainer is in a container', () => {
    const settings = settingsOf({ EPOCHAL_CONTAINER_MEMORY_GB: '32', EPOCHAL_CONTAINER_SHM_GB: '2' });
    expect(sentences({ limits: { memory: 32, cpus: 64, disk: 500, shm: 2 } }, 'x', settings)).toEqual([]);
    expect(sentences({ limits: { memory: 33, shm: 4, processes: 5000 } }, 'x', settings)).toEqual([
      'limits.memory is 33: must be at most 32 (EPOCHAL_CONTAINER_MEMORY_GB of the worker)',
      'limits.processes is 5000: must be at most 4096 (EPOCHAL_CONTAINER_PROCESSES of the worker)',
      'limits.shm is 4: must be at most 2 (EPOCHAL_CONTAINER_SHM_GB of the worker)',
    ]);
    expect(sentences({ limits: { cpus: 1 } }, null, settings)).toEqual([
      expect.stringMatching(/^limits is \{"cpus":1\}: must be left out, or an image given: .*EPOCHAL_LAUNCHER/),
    ]);
  });

  it("take the place of the host's", () => {
    const settings = settingsOf({ EPOCHAL_CONTAINER_MEMORY_GB: '32', EPOCHAL_CONTAINER_DISK_GB: '100' });
    const own = withLimits(settings, { memory: 0.5, processes: 64 });
    expect(own).toEqual({ ...settings, memoryBytes: 5e8, processes: 64 });
    expect(withLimits(settings, undefined)).toEqual(settings);
  });
});

test('a host without the engine says so, and does not wait for it', async () => {
  const problem = await new ContainerEngine('no-such-engine').imageId('x').catch((error) => error);
  expect(problem).toEqual(new EngineProblem('no-such-engine is not installed on this host', false, true));
  expect(problem).toMatchObject({ isAway: false, isMissing: true });
  // Another host of the pool may have one.
  expect(startProblem(problem, 'h')).toMatchObject({ failure: { kind: 'noContainer' } });
});

test.each([
  [
    'docker ps: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?',
    'isAway',
  ],
  ['permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock', 'isMissing'],
  ['docker: Error response from daemon: invalid mount config', null],
])('%s', (tail, kind) => {
  const { isAway, isMissing } = new ContainerEngine('docker').problem('ps', { code: 1, stdout: '', tail });
  expect({ isAway, isMissing }).toEqual({ isAway: kind === 'isAway', isMissing: kind === 'isMissing' });
});
