/** By which address others reach a provider's server, for links to files there. */

/**
 * `variable`: what a person says of this provider. Null where nobody is to have links, and where nobody says so of a server that is not the
 * provider's own, which `known` is null for.
 */
export function linkEndpoint(variable: string, known: string | null): string | null {
  const { EPOCHAL_LINK_ENDPOINT: ofAll } = process.env;
  const said = process.env[variable] || known;
  return ofAll === 'none' || said === 'none' || said === null ? null : said.replace(/\/+$/, '');
}
