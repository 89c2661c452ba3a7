/** How copies in a store were proved, for the receipt. */
import type { CopyProof } from '../contracts/receipt-facts.ts';

export class CopyProofs {
  readonly #proofs = new Map<string, CopyProof>();

  /** By the path of what was proved: what was found later counts. */
  note(path: string, proof: CopyProof): void {
    this.#proofs.set(path, proof);
  }

  of(path: string): CopyProof | null {
    return this.#proofs.get(path) ?? null;
  }
}
