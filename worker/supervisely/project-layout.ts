/** Where things of a project are in its folder, as Supervisely's own downloads have them. Names come from a server: none leads out of the folder. */
import { extname } from 'node:path';
import { DataSetProblem } from '../data-sets.ts';
import type { ProjectDataSet, ProjectImage } from './project-api.ts';

/** Data sets with their folders, `outer/datasets/inner` for one inside of another. Throws DataSetProblem. */
export function dataSetFolders(dataSets: readonly ProjectDataSet[]): { path: string; dataSet: ProjectDataSet }[] {
  const byId = new Map(dataSets.map((one) => [one.id, one]));
  const taken = new Set<string>();
  return dataSets.map((dataSet) => {
    const names: string[] = [];
    if (dataSet.name === besideDataSets) throw notFile('data set', dataSet.name);
    for (let at: ProjectDataSet | undefined = dataSet; at; at = at.parentId ? byId.get(at.parentId) : undefined) {
      names.unshift(checked(at.name, 'data set'));
      if (names.length > 100) throw new DataSetProblem(`its data set ${dataSet.name} is inside of itself`);
    }
    const path = names.join('/datasets/');
    if (Buffer.byteLength(path) > longestPath)
      throw new DataSetProblem(`its data set ${dataSet.name} is inside of too many others for the path of a file`);
    return { path: once(path, taken, 'data sets'), dataSet };
  });
}

/** With the ending of its type, where its name has another one or none: readers go by it. Throws DataSetProblem. */
export function imageNames(images: readonly ProjectImage[], dataSet: string): Map<number, string> {
  const taken = new Set<string>();
  return new Map(
    images.map(({ id, name, mime }) => {
      const type = /^image\/([\w.+-]{1,8})$/.exec(mime ?? '')?.[1] ?? null;
      const ending = extname(checked(name, 'image')).slice(1).toLowerCase();
      const isRight = type === null || type === ending || (type === 'jpeg' && ['jpg', 'mpo'].includes(ending));
      return [id, once(isRight ? name : `${name}.${type}`, taken, `images of ${dataSet}`)];
    }),
  );
}

/** Of the project, in the folder of its data sets. */
const besideDataSets = 'meta.json';
/** Bytes: a path of the system's has 4,096, with the cache folder before it and a file after it. */
const longestPath = 2048;

/** A file of the system's: no separators, nothing that is no text, and not too long with what follows it. */
function checked(name: string, what: string): string {
  if (name === '' || name === '.' || name === '..' || /[/\\\p{Cc}\p{Cs}]/u.test(name) || Buffer.byteLength(name) > 240)
    throw notFile(what, name);
  return name;
}

const notFile = (what: string, name: string) =>
  new DataSetProblem(`it has the ${what} ${JSON.stringify(name.slice(0, 100))}, which cannot be the name of a file`);

function once(name: string, taken: Set<string>, what: string): string {
  if (taken.has(name))
    throw new DataSetProblem(`it has two ${what} that would be ${JSON.stringify(name.slice(0, 200))}`);
  taken.add(name);
  return name;
}
