/** Temporal's errors, as errors of this client. */
import {
  ActivityExecutionFailedError,
  ApplicationFailure,
  isGrpcServiceError,
  NamespaceNotFoundError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { z } from 'zod';
import { configProblemSchema } from '../contracts/failure.ts';
import { failureTypes } from '../contracts/run-messages.ts';
import { searchAttributes } from '../contracts/search-attributes.ts';
import {
  ConfigError,
  EpochalError,
  RunNotFoundError,
  ServerRefusedError,
  ServerUnreachableError,
  WorkerFailedError,
  WrongStateError,
} from './errors.ts';

/** gRPC's status codes, those that are told apart here. */
const code = {
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  failedPrecondition: 9,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** The call was given up at its deadline, or the server knows of no worker: the server or a worker is silent. */
export function isSilence(error: unknown): boolean {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return true;
  const status = statusOf(error);
  // Of a query, the server says at once that nobody has asked for work lately.
  const noPoller = status === code.failedPrecondition && /no poller/.test(detailsOf(error));
  return noPoller || status === code.cancelled || status === code.deadlineExceeded;
}

/** `server` is how the server is called in a sentence; `run` is the run that was asked for. */
export function typedError(error: unknown, server: string, run: string | null): Error {
  if (error instanceof EpochalError) return error;
  if (error instanceof WorkflowNotFoundError) {
    if (/already completed/.test(error.message))
      return new WrongStateError(`run ${run} has stopped already`, { cause: error });
    return new RunNotFoundError(run ?? error.workflowId, { cause: error });
  }
  if (
    error instanceof WorkflowUpdateFailedError ||
    error instanceof WorkflowFailedError ||
    error instanceof ActivityExecutionFailedError
  ) {
    return errorOfFailure(error.cause, error);
  }
  if (error instanceof NamespaceNotFoundError) {
    return new ServerRefusedError(`${server} has no namespace ${JSON.stringify(error.namespace)}`, { cause: error });
  }
  const status = statusOf(error);
  if (status === null) return error instanceof Error ? error : new EpochalError(String(error));
  return errorOfStatus(status, detailsOf(error), server, error);
}

/** What a workflow, an update or an activity failed with. */
export function errorOfFailure(failure: Error | undefined, cause: unknown): Error {
  if (!(failure instanceof ApplicationFailure))
    return new WorkerFailedError(failure?.message ?? 'a worker failed', { cause });
  if (failure.type === failureTypes.wrongState) return new WrongStateError(failure.message, { cause });
  if (failure.type === failureTypes.invalid) {
    const problems = z.array(configProblemSchema).safeParse(failure.details?.[0]);
    return problems.success && problems.data.length > 0
      ? new ConfigError(problems.data, { cause })
      : new ConfigError([], { cause, message: failure.message });
  }
  return new WorkerFailedError(failure.message, { cause });
}

function errorOfStatus(status: number, details: string, server: string, cause: unknown): Error {
  switch (status) {
    case code.unavailable:
    case code.cancelled:
    case code.deadlineExceeded:
      return new ServerUnreachableError(`${server} does not answer (${details})`, { cause });
    case code.permissionDenied:
    case code.unauthenticated:
      return new ServerRefusedError(`${server} refuses access: ${details}`, { cause });
    case code.invalidArgument:
      if (/search attribute/i.test(details)) {
        const flags = Object.entries(searchAttributes).map(([name, type]) => `--name ${name} --type ${type}`);
        return new ServerRefusedError(
          `${server} lacks Epochal's search attributes (${details}): run "temporal operator search-attribute create ${flags.join(' ')}"`,
          { cause },
        );
      }
      return new ServerRefusedError(`${server} refuses the request: ${details}`, { cause });
    default:
      return new ServerRefusedError(`${server} could not do it: ${details}`, { cause });
  }
}

const grpcError = (error: unknown) => {
  if (isGrpcServiceError(error)) return error;
  const cause = error instanceof Error ? error.cause : undefined;
  return isGrpcServiceError(cause) ? cause : null;
};

/** Of a call that has no error of its own for it: the server knows no such thing. */
export const isNotFound = (error: unknown): boolean => statusOf(error) === code.notFound;

const statusOf = (error: unknown): number | null => grpcError(error)?.code ?? null;
const detailsOf = (error: unknown): string => grpcError(error)?.details ?? String(error);
