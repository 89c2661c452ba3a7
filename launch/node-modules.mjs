/** Whether the node modules of a clone are those of its lock file. Plain Node: it is asked before anything is installed. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const packagesOf = (file) => JSON.parse(readFileSync(file, 'utf8')).packages;

/**
 * Paths of packages that `folder` lacks, or has in another version. By npm's own record, which it writes last: an install that was broken
 * off has none. Null: there is no record.
 */
export function packagesToInstall(folder) {
  const record = join(folder, 'node_modules', '.package-lock.json');
  let installed;
  try {
    installed = packagesOf(record);
  } catch (error) {
    if (!existsSync(record) || error instanceof SyntaxError) return null;
    throw error;
  }
  return Object.entries(packagesOf(join(folder, 'package-lock.json'))).flatMap(
    ([path, { version, optional, devOptional, peer }]) => {
      const there = installed[path]?.version;
      // Optional ones are for other platforms as well, and so never all there.
      const mayBeMissing = path === '' || optional || devOptional || peer;
      return there === version || (there === undefined && mayBeMissing) ? [] : path;
    },
  );
}

/** Throws a sentence where a program of `folder` would not find what it imports: what a pull has added is not there until it is installed. */
export function requireModules(folder, compiler) {
  const how = `run \`npm ci\` in ${folder} (npm start does that for you)`;
  if (!existsSync(join(folder, compiler))) throw new Error(`Epochal's node modules are not installed: ${how}`);
  // Whoever installs in another way than by npm sees to it.
  const missing = packagesToInstall(folder) ?? [];
  if (missing.length === 0) return;
  const names = missing.slice(0, 3).map((path) => path.replace(/^.*node_modules\//, ''));
  const others = missing.length > 3 ? ` and ${missing.length - 3} more` : '';
  throw new Error(`Epochal's node modules are not those of package-lock.json (${names.join(', ')}${others}): ${how}`);
}
