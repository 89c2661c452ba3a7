/** Our image, by the real Dockerfile; layers that have not changed are those of last time. */
import { fileURLToPath } from 'node:url';
import { nodeImage, pythonImage } from './base-images.ts';
import { docker } from './docker.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
export const version = 'test';
export const image = `epochal:${version}`;

export async function buildImage(): Promise<void> {
  const args = [`NODE_IMAGE=${nodeImage}`, `PYTHON_IMAGE=${pythonImage}`].flatMap((arg) => ['--build-arg', arg]);
  await docker(['build', ...args, '--tag', image, '.'], { cwd: root });
}

/** The same, of a newer version. */
export async function buildNewer(tag: string): Promise<void> {
  const change = `const f='/app/package.json',p=JSON.parse(fs.readFileSync(f));p.version='0.1.999';fs.writeFileSync(f,JSON.stringify(p))`;
  const file = `FROM ${image}\nUSER root\nRUN ["node", "-e", ${JSON.stringify(change)}]\nUSER 10001:10001\n`;
  await docker(['build', '--tag', tag, '-'], { input: file });
}
