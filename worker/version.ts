/** The version of this package. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { packageFolder } from '../contracts/package-folder.ts';

const packageFile = new URL('package.json', packageFolder);
export const version = z.object({ version: z.string() }).parse(JSON.parse(readFileSync(packageFile, 'utf8'))).version;
