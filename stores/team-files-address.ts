/** `teamfiles:/folder`: where a store is in the Team Files of a Supervisely team. Server, token and team are those of the machine. */
import { StoreError } from './artifact-store.ts';
import { keyPrefix } from './bucket-address.ts';

const allowed = 'a Team Files store is teamfiles:/FOLDER';

/** The folder, without slashes at its ends. Throws StoreError with a clause: which part of the address cannot be. */
export function teamFilesFolder(address: string): string {
  const [, rest = ''] = /^teamfiles:(.*)$/is.exec(address) ?? [];
  // Not even to say what is wrong with it: the address is shown, and kept.
  if (/^\/\/[^/]*@/.test(rest)) throw problem('it has credentials in it, which belong in API_TOKEN of the worker');
  if (rest.startsWith('//'))
    throw problem('it names a server or a team, which are SERVER_ADDRESS and TEAM_ID of the worker');
  if (!rest.startsWith('/')) throw problem('it does not begin with teamfiles:/');
  return keyPrefix(rest.slice(1), problem, { prefix: 'folder', bucket: 'all files of a team' });
}

const problem = (why: string) => new StoreError(`${why}; ${allowed}`, false);
