/** Every error as one clear sentence for the caller. What is nobody's business stays in the log. */
import {
  ConfigError,
  EpochalError,
  FileNotFoundError,
  NoWorkerError,
  RunInUseError,
  RunNotFoundError,
  ServerUnreachableError,
  WrongStateError,
} from '../client/errors.ts';
import { type ConfigProblem, problemSentence } from '../contracts/failure.ts';
import { type Refusal, type RefusalKind, refusalStatus } from '../contracts/http-answers.ts';

export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  constructor(
    readonly kind: RefusalKind,
    message: string,
    readonly problems: readonly ConfigProblem[] = [],
  ) {
    super(message);
  }
}

export const invalidInput = (problems: readonly ConfigProblem[]): RefusedError =>
  new RefusedError('invalid', problems.map(problemSentence).join('; '), problems);

/** What the caller is told, with its HTTP status. Kind `internal` is a defect of ours, to be logged with its stack. */
export function refusalOf(error: unknown): { status: number; refusal: Refusal } {
  const { kind, message, problems } = told(error);
  return { status: refusalStatus[kind], refusal: { kind, message, problems: [...problems] } };
}

function told(error: unknown): { kind: RefusalKind; message: string; problems: readonly ConfigProblem[] } {
  if (error instanceof RefusedError) return error;
  if (error instanceof ConfigError) return { kind: 'invalid', message: error.message, problems: error.problems };
  if (error instanceof EpochalError) return { kind: kindOf(error), message: error.message, problems: [] };
  const status = statusOf(error);
  if (status !== null && status >= 400 && status < 500) {
    const message = error instanceof Error ? error.message : 'the request cannot be understood';
    if (status === 413)
      return { kind: 'tooLarge', message: 'the request is too large: at most 1 MB is accepted', problems: [] };
    if (status === 429) return { kind: 'tooMany', message, problems: [] };
    if (status === 404) return { kind: 'notFound', message, problems: [] };
    return { kind: 'invalid', message, problems: [] };
  }
  return { kind: 'internal', message: 'something went wrong in the server itself; see its log', problems: [] };
}

function kindOf(error: EpochalError): RefusalKind {
  if (error instanceof RunNotFoundError || error instanceof FileNotFoundError) return 'notFound';
  if (error instanceof WrongStateError || error instanceof RunInUseError) return 'wrongState';
  if (error instanceof NoWorkerError) return 'workersAway';
  if (error instanceof ServerUnreachableError) return 'temporalAway';
  return 'failed';
}

/** Of an error of fastify or one of its plugins. */
const statusOf = (error: unknown): number | null =>
  error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : null;
