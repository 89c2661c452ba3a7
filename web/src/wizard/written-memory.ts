/** What is being written survives a reload of the page, and a walk to another one and back: for as long as the tab is open. */
import { useMemo } from 'react';
import { z } from 'zod';

const writtenSchema = z.object({ text: z.string().max(200_000), step: z.int().min(0).max(10) });
export type Written = z.infer<typeof writtenSchema>;

export interface WrittenMemory {
  /** From before; null where there is nothing. */
  before: Written | null;
  remember(written: Written): void;
  forget(): void;
}

export function useWritten(key: string): WrittenMemory {
  return useMemo(() => {
    const at = `epochal-written ${key}`;
    return {
      before: read(at),
      remember: (written) => quietly(() => sessionStorage.setItem(at, JSON.stringify(written))),
      forget: () => quietly(() => sessionStorage.removeItem(at)),
    };
  }, [key]);
}

function read(at: string): Written | null {
  try {
    return writtenSchema.safeParse(JSON.parse(sessionStorage.getItem(at) ?? 'null')).data ?? null;
  } catch {
    return null;
  }
}

/** A browser may have no room for it, or refuse: then nothing is remembered. */
function quietly(what: () => void): void {
  try {
    what();
  } catch {
    // as said
  }
}
