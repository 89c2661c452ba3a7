/** Which of a trainer's parameters are paths: those that its manifest gives a format of paths, whatever they are called. */
import { z } from 'zod';

export interface PathParameter {
  /** As in the YAML: `parameters.weights`. */
  field: string;
  value: string;
}

/** JSON Schema has no format for paths; these are pydantic's, of `Path`, `FilePath`, `DirectoryPath` and `NewPath`. */
const pathFormats: ReadonlySet<string> = new Set(['path', 'file-path', 'directory-path']);

const node = z.looseObject({});
type Node = z.infer<typeof node>;
type Json = z.core.util.JSONType;

/** A schema may refer to itself; parameters end before that. */
const deepest = 32;

/** The values that are paths, in `parameters` as they were written: the trainer has not checked them yet. A value that is the default is the trainer's own. */
export function pathParameters(schema: Readonly<Record<string, Json>>, parameters: Json): PathParameter[] {
  const found = new Map<string, PathParameter>();
  const definitions = nodeOf(schema.$defs);

  const visit = (at: unknown, value: Json, field: string, depth: number): void => {
    const here = nodeOf(at);
    if (!here || depth > deepest || (here.default !== undefined && here.default === value)) return;
    if (typeof value === 'string' && typeof here.format === 'string' && pathFormats.has(here.format))
      found.set(field, { field, value });
    const reference = typeof here.$ref === 'string' ? here.$ref.replace(/^#\/\$defs\//, '') : null;
    if (reference !== null) visit(definitions?.[reference], value, field, depth + 1);
    for (const key of ['anyOf', 'oneOf', 'allOf'])
      for (const one of listOf(here[key])) visit(one, value, field, depth + 1);
    if (Array.isArray(value)) {
      const first = listOf(here.prefixItems);
      for (const [index, item] of value.entries())
        visit(first[index] ?? here.items, item, `${field}[${index}]`, depth + 1);
    } else if (typeof value === 'object' && value !== null) {
      const own = nodeOf(here.properties);
      for (const [key, inner] of Object.entries(value)) {
        const known = own && Object.hasOwn(own, key) ? own[key] : here.additionalProperties;
        visit(known, inner, `${field}.${key}`, depth + 1);
      }
    }
  };

  visit(schema, parameters, 'parameters', 0);
  return [...found.values()];
}

const nodeOf = (value: unknown): Node | null => node.safeParse(value).data ?? null;
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
