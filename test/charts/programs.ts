/** helm itself and the validator of Kubernetes' schemas, made once for this machine where they are not there (minutes). As a program: only that. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { goProgram, type Made, pythonProgram } from '../stores/servers/server-programs.ts';

const pathOf = (made: Made): string => {
  if ('missing' in made) throw new Error(made.missing);
  return made.path;
};

export const helmProgram = async (): Promise<string> =>
  pathOf(await goProgram('helm', 'helm.sh/helm/v3/cmd/helm@v3.22.0'));

/** Its Python, and the module that is run by it. */
export async function validatorProgram(): Promise<{ command: string; args: string[] }> {
  const folder = pathOf(await pythonProgram('kubernetes-validate', '1.37.0', '', 'kubernetes_validate'));
  return { command: join(folder, 'bin', 'python'), args: ['-m', 'kubernetes_validate'] };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await Promise.all([helmProgram(), validatorProgram()]);
