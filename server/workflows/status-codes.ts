/** Status codes of gRPC, in which a Temporal server says what it will not do. */
export const notFound = 5;
export const permissionDenied = 7;
export const failedPrecondition = 9;
export const unimplemented = 12;

export const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : null);
