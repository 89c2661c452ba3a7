/** What a run that this host started now would be made of, for who wants to start one again. */
import { ApplicationFailure } from '@temporalio/activity';
import { problemsOf } from '../contracts/config-problems.ts';
import { problemSentence } from '../contracts/failure.ts';
import { type HostMaterials, materialsQuestionSchema, mostOfPackages } from '../contracts/host-materials.ts';
import type { Host } from '../worker/host.ts';
import { findMaterials } from '../worker/trainer-materials.ts';
import { working } from './activity-support.ts';

export const trainerMaterials =
  (host: Pick<Host, 'id' | 'trainers' | 'devices'>) =>
  (question: unknown): Promise<HostMaterials> =>
    working('look at the code of the trainer', async (signal) => {
      const asked = materialsQuestionSchema.safeParse(question);
      if (!asked.success) throw refusal(problemsOf(asked.error, question).map(problemSentence).join('\n'));
      const { trainer, code } = asked.data;
      const program = await host.trainers.find(trainer);
      if (!program) throw refusal(`there is no trainer ${trainer} on ${host.id}`);
      const python = await host.trainers.readyPython(program, { signal });
      const { materials, packages } = await findMaterials(program, {
        ...{ python, driver: host.devices.driver, config: code === undefined ? {} : { code } },
      });
      const isTold = packages !== null && packages.length <= mostOfPackages;
      return { host: host.id, materials, packages: isTold ? packages : null };
    });

const refusal = (message: string) => ApplicationFailure.create({ type: 'Invalid', message, nonRetryable: true });
