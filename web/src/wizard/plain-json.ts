/** Configurations as the editor and the API hold them. */
import type { z } from 'zod';

export type Json = z.infer<ReturnType<typeof z.json>>;
export type ConfigObject = Record<string, Json>;

/** Without what JSON cannot say. */
export const plainJson = (value: object): ConfigObject => JSON.parse(JSON.stringify(value)) as ConfigObject;

export const isMapping = (value: unknown): value is ConfigObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function valueAt(config: Json | undefined, path: readonly string[]): Json | undefined {
  let at = config;
  for (const key of path) {
    if (!isMapping(at) || !Object.hasOwn(at, key)) return undefined;
    at = at[key];
  }
  return at;
}

/** A copy with the value there; undefined removes the field, and what is empty around it. */
export function withValue(config: ConfigObject, path: readonly string[], value: Json | undefined): ConfigObject {
  const [key, ...rest] = path;
  if (key === undefined) return isMapping(value) ? value : {};
  const { [key]: before, ...others } = config;
  if (rest.length === 0) {
    if (value === undefined) return others;
    // In its place: an edit must not move a field to the end.
    return Object.hasOwn(config, key) ? { ...config, [key]: value } : { ...others, [key]: value };
  }
  const inner = withValue(isMapping(before) ? before : {}, rest, value);
  if (Object.keys(inner).length === 0 && value === undefined) return others;
  return { ...config, [key]: inner };
}

export const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
