/**
 * How a file of a run is answered. A trainer wrote it: nothing in it may act in the page's name. So the types are a list of what may
 * be shown, and no table of all types that there are.
 */
import { create as contentDisposition } from 'content-disposition';

/** Shown in the page. An SVG is an image with a policy that lets it do nothing; text is text, whatever it says it is. */
const shown: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  bmp: 'image/bmp',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
  log: 'text/plain; charset=utf-8',
  md: 'text/plain; charset=utf-8',
  csv: 'text/plain; charset=utf-8',
  json: 'text/plain; charset=utf-8',
  jsonl: 'text/plain; charset=utf-8',
  yaml: 'text/plain; charset=utf-8',
  yml: 'text/plain; charset=utf-8',
  py: 'text/plain; charset=utf-8',
};

const other = 'application/octet-stream';

const endingOf = (path: string) => /\.([A-Za-z0-9]{1,8})$/.exec(path)?.[1]?.toLowerCase() ?? '';

/** For listings: `image/png`. */
export const mediaTypeOf = (path: string): string => shown[endingOf(path)]?.split(';')[0] ?? other;

export const isImage = (path: string): boolean => mediaTypeOf(path).startsWith('image/');

/** Headers of the file itself; `attached`: to be saved, not shown. */
export function fileHeaders(path: string, attached: boolean): Record<string, string> {
  const type = shown[endingOf(path)];
  const name = path.split('/').at(-1) ?? 'file';
  return {
    'content-type': type ?? other,
    'content-disposition': contentDisposition(name, { type: attached || type === undefined ? 'attachment' : 'inline' }),
    'content-security-policy': "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
  };
}
