/** What a run that this host started now would be made of, for who wants to start one again. */
import { ApplicationFailure } from '@temporalio/activity';
import { problemsOf } from '../contracts/config-problems.ts';
import { problemSentence } from '../contracts/failure.ts';
import { type HostMaterials, materialsQuestionSchema, mostOfPackages } from '../contracts/host-materials.ts';
import { EngineProblem } from '../worker/engine-problem.ts';
import type { Host } from '../worker/host.ts';
import { TrainerProblem, type TrainerProgram } from '../worker/trainer-catalog.ts';
import { findMaterials } from '../worker/trainer-materials.ts';
import { working } from './activity-support.ts';

export const trainerMaterials =
  (host: Pick<Host, 'id' | 'trainers' | 'devices'>) =>
  (question: unknown): Promise<HostMaterials> =>
    working('look at the code of the trainer', async (signal) => {
      const asked = materialsQuestionSchema.safeParse(question);
      if (!asked.success) throw refusal(problemsOf(asked.error, question).map(problemSentence).join('\n'));
      const { trainer, code, image: name } = asked.data;
      const program = await host.trainers.find(trainer);
      if (!program) throw refusal(`there is no trainer ${trainer} on ${host.id}`);
      const image = await imageOf(host, program, name);
      const python = image === null ? await host.trainers.readyPython(program, { signal }) : null;
      const { materials, packages } = await findMaterials(program, {
        ...{ python, image, driver: host.devices.driver, config: code === undefined ? {} : { code } },
      });
      const isTold = packages !== null && packages.length <= mostOfPackages;
      return { host: host.id, materials, packages: isTold ? packages : null };
    });

/** Its id; a sentence in its place where the host does not have it. */
async function imageOf(
  { trainers }: Pick<Host, 'trainers'>,
  program: TrainerProgram,
  asked: string | undefined,
): Promise<string | null> {
  const image = await trainers.imageOf(program, asked);
  if (image === null) return null;
  try {
    return await trainers.imageId(program, image);
  } catch (error) {
    if (error instanceof TrainerProblem || error instanceof EngineProblem) throw refusal(error.message);
    throw error;
  }
}

const refusal = (message: string) => ApplicationFailure.create({ type: 'Invalid', message, nonRetryable: true });
