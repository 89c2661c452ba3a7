/**
 * Other tools put objects into buckets in the place of folders: `a/`, or an empty `a` beside `a/b`. A store that removes such a path removes all that is
 * below it as well.
 */
import { relativePath } from '../contracts/names.ts';

/** Of all paths of a folder, those that can be removed by themselves. */
export function loneFiles(paths: Iterable<string>): Set<string> {
  const all = [...paths];
  const folders = new Set<string>();
  for (const path of all)
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      const folder = path.slice(0, at);
      if (folders.has(folder)) break;
      folders.add(folder);
    }
  return new Set(all.filter((path) => !folders.has(path) && relativePath.safeParse(path).success));
}
