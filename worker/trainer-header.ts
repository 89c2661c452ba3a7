/** What a trainer's file says before it is run: its PEP 723 header. */
import { readFile } from 'node:fs/promises';
import { parse as parseToml } from 'smol-toml';
import { z } from 'zod';
import { imageReference } from '../contracts/run-container.ts';
import { PythonSetUpError } from './python-tools.ts';

const headerSchema = z.object({
  dependencies: z.array(z.string().min(1)).optional(),
  tool: z.object({ epochal: z.object({ image: imageReference.optional() }).optional() }).optional(),
});

export interface TrainerHeader {
  /** Undefined: it says nothing of them. */
  dependencies: string[] | undefined;
  /** That it runs in, in a container; null: it does not say. */
  image: string | null;
}

/** Null where it has none. Throws PythonSetUpError. */
export async function readHeader(trainerFile: string): Promise<TrainerHeader | null> {
  const header = scriptHeader(await readFile(trainerFile, 'utf8'));
  if (header === null) return null;
  try {
    const { dependencies, tool } = headerSchema.parse(parseToml(header));
    return { dependencies, image: tool?.epochal?.image ?? null };
  } catch (error) {
    throw new PythonSetUpError(`the PEP 723 header of ${trainerFile} is not valid: ${reason(error)}`, { cause: error });
  }
}

const reason = (error: unknown): string => {
  if (error instanceof z.ZodError)
    return error.issues.map(({ path, message }) => `${path.join('.')} ${message}`).join('; ');
  return String(error instanceof Error ? error.message : error).split('\n')[0] ?? '';
};

/** The TOML in a `# /// script` block, as PEP 723 has it, or null. */
function scriptHeader(source: string): string | null {
  const block = /^# \/\/\/ script\r?\n((?:#(?: .*)?\r?\n)*?)# \/\/\/\r?$/m.exec(source);
  return block?.[1] === undefined ? null : block[1].replace(/^# ?/gm, '');
}
