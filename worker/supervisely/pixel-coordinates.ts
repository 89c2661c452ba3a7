/**
 * Annotations as Supervisely's own downloads write them. The server tells corners with fractions of pixels, and the edges of boxes; in files, and to whoever
 * reads them, coordinates are those of whole pixels, and the last ones of a box belong to it. Rounded as Supervisely's SDK does, so that a
 * project that was downloaded there is the same one here. What has another form stays as it is: the reader tells of it.
 */
import { z } from 'zod';

const point = z.tuple([z.number(), z.number()]).rest(z.number());
type Point = z.infer<typeof point>;
const outline = z.looseObject({ exterior: z.array(point), interior: z.array(z.array(point)).nullish() });
type Outline = z.infer<typeof outline>;

const annotation = z.looseObject({
  size: z.looseObject({ width: z.number(), height: z.number() }),
  objects: z.array(z.looseObject({ geometryType: z.string() })),
});
type Label = z.infer<typeof annotation>['objects'][number];

const outlined = z.looseObject({ points: outline });
const cornered = z.looseObject({ points: z.array(point).length(2) });
const parted = z.looseObject({ parts: z.array(outline) });
const masked = z.looseObject({ bitmap: z.looseObject({ origin: point }) });
const noded = z.looseObject({ nodes: z.record(z.string(), z.looseObject({ loc: point })) });

export function inPixels(told: unknown): unknown {
  const found = annotation.safeParse(told);
  if (!found.success) return told;
  const { width, height } = found.data.size;
  const at = ([x, y]: Point) => [below(x, width), below(y, height)];
  return { ...found.data, objects: found.data.objects.map((label) => labelInPixels(label, at)) };
}

function labelInPixels(label: Label, at: (point: Point) => number[]): unknown {
  if (label.geometryType === 'rectangle') {
    const box = outlined.safeParse(label);
    const corners = box.success ? corner(box.data.points.exterior) : null;
    return box.success && corners ? { ...box.data, points: { ...box.data.points, exterior: corners } } : label;
  }
  if (label.geometryType === 'oriented_bbox') {
    const box = cornered.safeParse(label);
    return box.success ? { ...box.data, points: corner(box.data.points) } : label;
  }
  const rounded = ({ exterior, interior, ...rest }: Outline) => ({
    ...rest,
    exterior: exterior.map(at),
    ...(interior === undefined ? {} : { interior: interior?.map((ring) => ring.map(at)) ?? null }),
  });
  const [lines, parts, mask, graph] = [
    outlined.safeParse(label),
    parted.safeParse(label),
    masked.safeParse(label),
    noded.safeParse(label),
  ];
  return {
    ...label,
    ...(lines.success ? { points: rounded(lines.data.points) } : {}),
    ...(parts.success ? { parts: parts.data.parts.map(rounded) } : {}),
    ...(mask.success ? { bitmap: { ...mask.data.bitmap, origin: mask.data.bitmap.origin.map(Math.floor) } } : {}),
    ...(graph.success ? { nodes: mapValues(graph.data.nodes, (node) => ({ ...node, loc: at(node.loc) })) } : {}),
  };
}

/** The last pixel, for what lies on the far edge. */
const below = (value: number, size: number) => (value === size ? Math.floor(value) - 1 : Math.floor(value));

/** A box has the pixels of which it covers 0.3 and more. */
function corner([first, second]: readonly Point[]): number[][] | null {
  if (!first || !second) return null;
  const spans = [span(first[0], second[0]), span(first[1], second[1])] as const;
  const isOnePixel = spans.every(([from, to]) => Math.trunc(from) === Math.trunc(to));
  const pixels = spans.map(([from, to]) => {
    if (isOnePixel) return [Math.trunc(from), Math.trunc(from)];
    const begin = from - Math.floor(from) >= 0.7 ? Math.ceil(from) : Math.floor(from);
    const end = to - Math.floor(to) >= 0.3 ? Math.ceil(to) : Math.floor(to);
    return [begin, Math.max(begin, end - 1)];
  });
  return [0, 1].map((end) => pixels.map((ends) => ends[end] ?? 0));
}

const span = (one: number, other: number) => [Math.min(one, other), Math.max(one, other)] as const;

const mapValues = <T, R>(of: Readonly<Record<string, T>>, make: (value: T) => R): Record<string, R> =>
  Object.fromEntries(Object.entries(of).map(([key, value]) => [key, make(value)]));
