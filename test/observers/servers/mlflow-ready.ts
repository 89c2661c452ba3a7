/** The MLflow server that the test run has started. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { until } from '../../support/until.ts';
import { authorization, type MlflowBackend, password, setUp, user } from './mlflow-server.ts';

export interface MlflowServer {
  endpoint: string;
  /** Of who tells it. */
  environment: Record<string, string>;
  authorization: string;
}

/** Longer than it may take to start: what went wrong is told. */
const seconds = 560;

const toldSchema = z.union([z.object({ endpoint: z.string().nullable() }), z.object({ failure: z.string() })]);

/** Null where there is none and none can be had. `told`: the file in which it says where it is. */
export async function readyMlflow(told: string): Promise<MlflowServer | null> {
  const text = await until('MLflow answers', () => readFile(told, 'utf8').catch(() => null), seconds);
  const answer = toldSchema.parse(JSON.parse(text));
  if ('failure' in answer) throw new Error(answer.failure);
  const { endpoint } = answer;
  if (endpoint === null) return null;
  return {
    endpoint,
    environment: {
      MLFLOW_TRACKING_URI: endpoint,
      MLFLOW_TRACKING_USERNAME: user,
      MLFLOW_TRACKING_PASSWORD: password,
    },
    authorization,
  };
}

/** One of its own, for a test file, or a program without a test run. */
export async function startMlflow(
  backend: MlflowBackend = 'sqlite',
): Promise<{ server: MlflowServer | null; stop: () => Promise<void> }> {
  let told = '';
  const provide = (_: string, file: unknown) => {
    told = String(file);
  };
  const stop = await setUp({ provide }, backend);
  return { server: await readyMlflow(told), stop };
}
