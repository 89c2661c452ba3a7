/** GPUs of this host, as the driver's own tool tells; none where there is no such tool. */
import { runProgram } from './run-program.ts';

export interface Gpu {
  index: number;
  name: string;
  memoryBytes: number;
  usedBytes: number;
}

const query = ['--query-gpu=index,name,memory.total,memory.used', '--format=csv,noheader,nounits'];
const mebibyte = 1024 * 1024;

export async function readGpus(): Promise<Gpu[]> {
  const { code, stdout } = await runProgram('nvidia-smi', query, { timeoutMs: 10_000 });
  return code === 0 ? parseGpus(stdout) : [];
}

/** The version of their driver, the same for all of them; null where it does not tell. */
export async function readDriver(): Promise<string | null> {
  const asked = ['--query-gpu=driver_version', '--format=csv,noheader'];
  const { code, stdout } = await runProgram('nvidia-smi', asked, { timeoutMs: 10_000 });
  return code === 0 ? parseDriver(stdout) : null;
}

export const parseDriver = (table: string): string | null => /^\d[\w.-]*$/m.exec(table)?.[0] ?? null;

/** One line per GPU: `0, NVIDIA A100-SXM4-40GB, 40960, 5` with memory in MiB. */
export function parseGpus(table: string): Gpu[] {
  return table
    .split('\n')
    .map((line) => line.split(',').map((field) => field.trim()))
    .filter((fields) => fields.length >= 4 && fields.every((field) => field !== ''))
    .map(([index, name, total, used]) => ({
      index: Number(index),
      name: name ?? '',
      memoryBytes: Number(total) * mebibyte,
      usedBytes: Number(used) * mebibyte,
    }));
}
