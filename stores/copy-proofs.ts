/** How copies in a store were proved, for the receipt. */
import type { CopyProof } from '../contracts/receipt-facts.ts';

/** Paths: more than a run has files. A worker lives for months. */
const most = 100_000;

export class CopyProofs {
  readonly #proofs = new Map<string, CopyProof>();

  /** By the path of what was proved: what was found later counts. */
  note(path: string, proof: CopyProof): void {
    this.#proofs.delete(path);
    this.#proofs.set(path, proof);
    const [oldest] = this.#proofs.keys();
    if (this.#proofs.size > most && oldest !== undefined) this.#proofs.delete(oldest);
  }

  of(path: string): CopyProof | null {
    return this.#proofs.get(path) ?? null;
  }
}
