/**
 * Temporal's client tries a call again from a timer. When its connection was closed meanwhile, gRPC throws into that
 * timer, where nobody can catch it: closing a connection under a call would end the whole process. Here such a call
 * ends as a cancelled one.
 */
import { type ConnectionOptions, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';

type Interceptor = NonNullable<ConnectionOptions['interceptors']>[number];
type Call = ReturnType<Interceptor>;
type Metadata = Parameters<Call['start']>[0];

/** `grpc.status.CANCELLED`, which nobody tries again. */
const cancelled = 1;

/** For every connection that may be closed while it is used; in place of the client's own list. */
export const connectionInterceptors: Interceptor[] = [
  makeGrpcRetryInterceptor(defaultGrpcRetryOptions()),
  (options, nextCall) => {
    try {
      return nextCall(options) as Call;
    } catch {
      return endedCall() as Call;
    }
  },
];

function endedCall(): Partial<Call> {
  return {
    start(metadata: Metadata, listener) {
      const status = { code: cancelled, details: 'the connection was closed', metadata };
      setImmediate(() => {
        // As gRPC does for a call without an answer: who tries calls again waits for the message first.
        listener?.onReceiveMessage?.(null);
        listener?.onReceiveStatus?.(status);
      });
    },
    sendMessage: () => undefined,
    halfClose: () => undefined,
    startRead: () => undefined,
    cancelWithStatus: () => undefined,
    getPeer: () => 'closed',
  };
}
