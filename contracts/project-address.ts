/** `supervisely:PROJECT-ID` as a data set, or with the version that the check of a configuration found: `supervisely:PROJECT-ID@VERSION`. */

export interface ProjectAddress {
  project: number;
  /** Of names, images, annotations and classes; null: as it is now. */
  version: string | null;
}

const scheme = /^supervisely:/i;

export const isProjectAddress = (data: string | undefined): data is string => data !== undefined && scheme.test(data);

/** Null where it is none. */
export function readProjectAddress(data: string): ProjectAddress | null {
  const [, project, version] = /^([1-9]\d{0,14})(?:@([0-9a-f]{16}))?$/.exec(data.replace(scheme, '')) ?? [];
  return project === undefined || !isProjectAddress(data)
    ? null
    : { project: Number(project), version: version ?? null };
}

export const projectAddressOf = (project: number, version: string): string => `supervisely:${project}@${version}`;
