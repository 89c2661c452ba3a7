/**
 * Checks a trainer's parameters for the form, by zod: rjsf's own validator compiles code at run time, which the page's
 * content security policy forbids, and zod says it in the same words as everywhere else.
 */
import {
  type CustomValidator,
  createErrorHandler,
  type ErrorTransformer,
  type FormContextType,
  type RJSFSchema,
  type RJSFValidationError,
  toErrorSchema,
  unwrapErrorHandler,
  type ValidationData,
  type ValidatorType,
} from '@rjsf/utils';
import { z } from 'zod';
import { problemsOf } from '../../../contracts/config-problems.ts';
import { fieldKeys } from './config-yaml.ts';

const compiled = new WeakMap<object, z.ZodType>();

/** A schema that zod cannot read lets everything pass: the trainer's own check on a worker has the last word. */
export function zodOf(schema: object): z.ZodType {
  const known = compiled.get(schema);
  if (known) return known;
  let made: z.ZodType;
  try {
    made = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
  } catch {
    made = z.unknown();
  }
  compiled.set(schema, made);
  return made;
}

function errorsOf(schema: object, data: unknown): RJSFValidationError[] {
  const checker = zodOf(schema);
  const result = checker.safeParse(data);
  if (result.success) return [];
  return problemsOf(result.error, data, checker).map(({ field, message }) => ({
    message,
    property: `.${fieldKeys(field).join('.')}`,
    stack: `${field} ${message}`,
  }));
}

type Schema = RJSFSchema;
type Context = FormContextType;
type Data = Record<string, unknown>;

export const jsonSchemaValidator: ValidatorType<Data, Schema, Context> = {
  isValid(schema, data, root) {
    // Its references are to the definitions of the whole.
    const defs = root.$defs ?? root.definitions;
    return zodOf(defs && !schema.$defs ? { ...schema, $defs: defs } : schema).safeParse(data).success;
  },
  rawValidation<Result>(schema: Schema, data?: Data) {
    return { errors: errorsOf(schema, data) as Result[] };
  },
  validateFormData(
    data: Data | undefined,
    schema: Schema,
    customValidate?: CustomValidator<Data, Schema, Context>,
    transformErrors?: ErrorTransformer<Data, Schema, Context>,
  ): ValidationData<Data> {
    const found = errorsOf(schema, data);
    const errors = transformErrors ? transformErrors(found) : found;
    const errorSchema = toErrorSchema<Data>(errors);
    if (!customValidate) return { errors, errorSchema };
    const custom = customValidate(data, createErrorHandler<Data>(data ?? {}));
    return { errors, errorSchema: { ...errorSchema, ...unwrapErrorHandler<Data>(custom) } };
  },
};
