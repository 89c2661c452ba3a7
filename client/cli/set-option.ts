/** `--set parameters.batch_size=32`: a field of a configuration, its value as YAML. */
import type { Configure } from '../../contracts/run-messages.ts';
import { ConfigError } from '../errors.ts';
import { parseYaml } from '../parse-config.ts';

type Json = Configure[string];

/** Nested objects for all of them; the last of the same field wins. Throws ConfigError. */
export function patchOf(settings: readonly string[]): Configure {
  const patch: Configure = {};
  for (const setting of settings) {
    const [, path, text] = /^([^=]+)=(.*)$/s.exec(setting) ?? [];
    if (path === undefined || text === undefined) {
      throw new ConfigError([], {
        message: `--set is ${JSON.stringify(setting)}: must be field=value, e.g. parameters.batch_size=32`,
      });
    }
    const keys = path.split('.');
    if (keys.some((key) => key === '' || key === '__proto__')) {
      throw new ConfigError([], {
        message: `--set is ${JSON.stringify(setting)}: ${JSON.stringify(path)} is not a field, e.g. parameters.batch_size`,
      });
    }
    put(patch, keys, parseYaml(text, `the value of --set ${path}`) as Json);
  }
  return patch;
}

/** A configuration with a patch on top: mappings are merged, anything else is replaced. `null` removes a field. */
export function patched(config: unknown, patch: Configure): unknown {
  if (!isMapping(config)) return Object.keys(patch).length === 0 ? config : patched({}, patch);
  const merged: Configure = { ...config };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = isMapping(value) ? (patched(merged[key], value) as Json) : value;
  }
  return merged;
}

function put(target: Configure, [key = '', ...rest]: string[], value: Json): void {
  if (rest.length === 0) {
    target[key] = value;
    return;
  }
  const before = Object.hasOwn(target, key) ? target[key] : undefined;
  const inner: Configure = isMapping(before) ? before : {};
  target[key] = inner;
  put(inner, rest, value);
}

const isMapping = (value: unknown): value is Configure =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
