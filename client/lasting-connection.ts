/**
 * What a connection needs that lives longer than one command.
 *
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

export const lastingConnection = {
  /** gRPC would wait up to two minutes between two attempts at a server that was unavailable. */
  channelArgs: { 'grpc.initial_reconnect_backoff_ms': 200, 'grpc.max_reconnect_backoff_ms': 2_000 },
  /** In place of the client's own list. */
  interceptors: [makeGrpcRetryInterceptor(defaultGrpcRetryOptions()), endedWhenClosed],
} satisfies Partial<ConnectionOptions>;

function endedWhenClosed(...[options, nextCall]: Parameters<Interceptor>): Call {
  try {
    return nextCall(options) as Call;
  } catch {
    return endedCall() as Call;
  }
}

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
