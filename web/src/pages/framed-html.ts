/**
 * What a trainer wrote runs no script, has no origin, sends no form, and loads nothing from anywhere. The policy comes first: none that follows
 * can loosen it.
 */
const policy =
  "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'";

export const framed = (html: string): string =>
  `<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">${html}`;
