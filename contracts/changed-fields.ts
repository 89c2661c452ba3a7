/** Fields in which configurations differ, with each one's value. Pure. */
export interface ChangedField {
  field: string;
  /** As JSON, in the order of the configurations; `–` where it is not set. */
  values: string[];
}

export function changedFields(configs: readonly object[]): ChangedField[] {
  const flat = configs.map((config) => flatten(config));
  const fields = [...new Set(flat.flatMap((one) => [...one.keys()]))].filter((field) => field !== 'run');
  return fields
    .map((field) => ({ field, values: flat.map((one) => one.get(field) ?? '–') }))
    .filter(({ values }) => new Set(values).size > 1);
}

function flatten(value: object, path = '', into = new Map<string, string>()): Map<string, string> {
  for (const [key, inner] of Object.entries(value)) {
    const field = path ? `${path}.${key}` : key;
    if (typeof inner === 'object' && inner !== null && !Array.isArray(inner)) flatten(inner, field, into);
    else if (inner !== undefined) into.set(field, typeof inner === 'string' ? inner : JSON.stringify(inner));
  }
  return into;
}
