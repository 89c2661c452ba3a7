/** Headers of requests to S3 that the SDK would not set, or would set otherwise. */

/** The signature is over the hash of the body, which is known: the SDK would read all of it once more. */
export const withBodyHash = <C extends HasMiddleware>(command: C, sha256: Uint8Array): C =>
  withHeader(command, 'x-amz-content-sha256', Buffer.from(sha256).toString('hex'));

interface HasMiddleware {
  middlewareStack: { add: (...args: never[]) => void };
}

export function withHeader<C extends HasMiddleware>(command: C, name: string, value: string): C {
  const { middlewareStack } = command as unknown as {
    middlewareStack: { add: (middleware: unknown, options: { step: 'build'; name: string }) => void };
  };
  middlewareStack.add(
    (next: (args: unknown) => unknown) => (args: { request: { headers: Record<string, string> } }) => {
      args.request.headers[name] = value;
      return next(args);
    },
    { step: 'build', name },
  );
  return command;
}
