/** The mark in the root of every store, and the identity in it. */

export const markName = '.epochal-store';

/** `what`: a folder, or what is one elsewhere. */
export const markText = (what: string, identity: string) =>
  `This ${what} is an artifact store of Epochal. Without this file it counts as unavailable: not mounted, or moved.\nidentity: ${identity}\n`;

/** Null in a mark that a person made by hand. */
export const identityIn = (text: string): string | null => /^identity: (\S+)$/m.exec(text)?.[1] ?? null;
