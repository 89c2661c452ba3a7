/**
 * How values travel to Temporal and back: said once, for every client and every worker of ours. Whoever reads payloads that the SDK leaves as
 * they are (what a pending activity says of itself) decodes them here, or a payload codec would cost the live progress.
 */
import { Client, type ClientOptions, type Connection } from '@temporalio/client';
import type { DataConverter, Payload, ProtoFailure } from '@temporalio/common';

export interface Conversion {
  /** Codecs (encryption, compression) and the failure converter; the workflows' own payload converter is in their bundle. */
  dataConverter?: DataConverter;
}

/** Values as JSON, as the SDK does without a codec. */
export const conversion: Conversion = {};

export function temporalClient(
  connection: NonNullable<ClientOptions['connection']> | Connection,
  namespace?: string,
  { dataConverter }: Conversion = conversion,
): Client {
  return new Client({
    connection,
    ...(namespace === undefined ? {} : { namespace }),
    ...(dataConverter ? { dataConverter } : {}),
  });
}

type Converting = Pick<Client['options'], 'loadedDataConverter'>;

/** Null for what is not there, and for what this client cannot decode: it is shown, and nothing depends on it. */
export async function decoded({ loadedDataConverter }: Converting, payload?: Payload | null): Promise<unknown> {
  const { payloadCodecs, payloadConverter } = loadedDataConverter;
  if (!payload) return null;
  try {
    let payloads = [payload];
    for (const codec of payloadCodecs.toReversed()) payloads = await codec.decode(payloads);
    return payloads[0] ? payloadConverter.fromPayload<unknown>(payloads[0]) : null;
  } catch {
    return null;
  }
}

/** A failure converter may leave a placeholder in its message, and have the true one encoded beside it. */
export async function failureMessage(client: Converting, failure?: ProtoFailure | null): Promise<string | null> {
  const hidden = await decoded(client, failure?.encodedAttributes);
  if (hidden !== null && typeof hidden === 'object' && 'message' in hidden && typeof hidden.message === 'string')
    return hidden.message;
  return failure?.message || null;
}
