/** The folders of contracts/folders.ts on this machine, absolute. Not made by these functions. */
import { homedir, platform } from 'node:os';
import { resolve } from 'node:path';
import * as folders from '../contracts/folders.ts';

const thisMachine = (): folders.Machine => ({ env: process.env, platform: platform(), home: homedir() });

export const cacheFolder = (): string => resolve(folders.cacheFolder(thisMachine()));
export const dataFolder = (): string => resolve(folders.dataFolder(thisMachine()));
