/** `epochal images build`: an image for each trainer, for workers that run trainers in containers. */
import { imageName } from '../worker/container-settings.ts';
import { ContainerEngine } from '../worker/launchers/container-engine.ts';
import { readSettings } from '../worker/settings.ts';
import { TrainerCatalog } from '../worker/trainer-catalog.ts';
import { buildImage } from '../worker/trainer-images.ts';

export interface BuildOptions {
  /** Empty: all of this worker's. */
  trainers: readonly string[];
  base: string;
  engine: string;
  /** `{trainer}` stands for the trainer's name. */
  tag: string;
}

/** Prints each image's name once it is made. Answers the exit code. */
export async function buildImages({ trainers, base, engine: program, tag }: BuildOptions): Promise<number> {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const all = await new TrainerCatalog(readSettings().trainersFolders).list();
  const unknown = trainers.filter((name) => !all.some((trainer) => trainer.name === name));
  if (unknown.length > 0) {
    say(`no trainer ${unknown.join(', ')}: there are ${all.map(({ name }) => name).join(', ')}`);
    return 1;
  }
  const engine = new ContainerEngine(program);
  for (const trainer of all.filter(({ name }) => trainers.length === 0 || trainers.includes(name))) {
    const name = imageName(tag, trainer.name);
    say(`${trainer.name}: making ${name} from ${base}`);
    try {
      await buildImage({ engine, program: trainer, base, tag: name, onLine: (line) => say(`  ${line}`) });
    } catch (error) {
      say(`${trainer.name}: ${error instanceof Error ? error.message : String(error)}`);
      return 1;
    }
    process.stdout.write(`${name}\n`);
  }
  return 0;
}
