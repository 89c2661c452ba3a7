/**
 * What the workflows read their payloads with (the worker bundles it as `payloadConverterPath`).
 *
 * The SDK decodes the arguments of a signal outside anything that catches: one that cannot be decoded would fail the workflow task, and
 * the next attempt at it, for ever, and neither a cancel nor a stop would be heard again. So nothing throws here: what cannot be decoded
 * becomes a value that no schema accepts, and whoever parses it refuses it.
 */
import { defaultPayloadConverter, type PayloadConverter } from '@temporalio/common';

/** In place of a value that could not be decoded. */
export class Undecodable {
  constructor(readonly undecodable: string) {}
}

export const payloadConverter: PayloadConverter = {
  toPayload: (value, context, hint) => defaultPayloadConverter.toPayload(value, context, hint),
  fromPayload: <T>(...given: Parameters<typeof defaultPayloadConverter.fromPayload<T>>): T => {
    try {
      return defaultPayloadConverter.fromPayload(...given);
    } catch (error) {
      return new Undecodable(error instanceof Error ? error.message : String(error)) as T;
    }
  },
};
