/**
 * A trainer's own pages: the layout that it declares, which `describe` prints and a run has in `pages.json`. Readers are tolerant: a widget
 * that this version does not know, or cannot read, is `other` and says what it was; what it holds is shown all the same.
 */
import { z } from 'zod';
import { extensible } from './tolerance.ts';

/** In the run folder, by the SDK: the layout, and a row for each value that was shown (`ui-values.ts`). */
export const layoutFile = 'pages.json';
export const pageRowsFile = 'pages.jsonl';
export const pagesFolder = 'pages';

/** The SDK writes no larger one. */
export const largestLayout = 64 << 10;
const deepest = 10;
const mostNodes = 500;

const title = z.string().max(400).default('');
const columns = z.int().min(1).max(4).default(1);
const shown = { id: z.string().min(1).max(100), title };
const words = { ...shown, text: z.string().default('') };
const axes = { ...shown, x: z.string().max(200).default(''), y: z.string().max(200).default('') };

export const alertColors = ['info', 'success', 'warning', 'error'] as const;

/** Widgets that show values, by their kinds. */
export const widgetSchemas = {
  text: extensible(words),
  markdown: extensible(words),
  alert: extensible({ ...words, color: z.enum(alertColors).catch('info') }),
  html: extensible({ ...words, height: z.number().min(40).max(2_000).default(300) }),
  progress: extensible(shown),
  image: extensible(shown),
  imagePair: extensible(shown),
  imageGrid: extensible({ ...shown, classes: z.array(z.string()).max(1_000).default([]) }),
  lineChart: extensible(axes),
  scatterChart: extensible(axes),
  barChart: extensible(axes),
  histogram: extensible(axes),
  heatMap: extensible(shown),
  confusionMatrix: extensible(shown),
  prCurve: extensible(shown),
  table: extensible(shown),
} as const;
export type WidgetKind = keyof typeof widgetSchemas;
export type WidgetOf<K extends WidgetKind> = z.output<(typeof widgetSchemas)[K]> & { kind: K };
export type UiWidget = { [K in WidgetKind]: WidgetOf<K> }[WidgetKind];

const groupSchemas = {
  container: extensible({ columns }),
  card: extensible({ columns, title }),
  collapse: extensible({ columns, title, opened: z.boolean().default(false) }),
} as const;
type GroupKind = keyof typeof groupSchemas;
type GroupOf<K extends GroupKind> = z.output<(typeof groupSchemas)[K]> & { kind: K; children: UiNode[] };

const parameterName = z.string().max(200);
/** Shown while each of these parameters has one of the values. */
const when = z.record(z.string(), z.array(z.json())).default({});

/** What the form of a new run has beside words. */
const fieldSchemas = {
  /** Parameters, one below the other. */
  fields: extensible({ title, names: z.array(parameterName).max(500), when }),
  /** A parameter that is a list of class names: chosen among those of the data set. */
  classPicker: extensible({ title, name: parameterName, when }),
  /** The data set of the run, with images of it. */
  dataPicker: extensible({ title }),
} as const;
type FieldKind = keyof typeof fieldSchemas;
type FieldOf<K extends FieldKind> = z.output<(typeof fieldSchemas)[K]> & { kind: K };
export type UiField = { [K in FieldKind]: FieldOf<K> }[FieldKind];
export type UiFields = FieldOf<'fields'>;
export type UiClassPicker = FieldOf<'classPicker'>;
export type UiDataPicker = FieldOf<'dataPicker'>;
export const isField = (leaf: UiLeaf): leaf is UiField => Object.hasOwn(fieldSchemas, leaf.kind);
/** What holds nothing else. */
export type UiLeaf = UiWidget | UiField;

export type UiNode =
  | UiLeaf
  | { [K in GroupKind]: GroupOf<K> }[GroupKind]
  | { kind: 'tabs'; tabs: { title: string; children: UiNode[] }[] }
  /** Of a newer SDK. */
  | { kind: 'other'; was: string; title: string; children: UiNode[] };

/** Null for what is no layout at all. */
export function readLayout(value: unknown): UiNode | null {
  const reader = new LayoutReader();
  return isObject(value) ? reader.node(value, 0) : null;
}

class LayoutReader {
  #nodes = 0;

  node(value: unknown, depth: number): UiNode {
    const kind = isObject(value) && typeof value.kind === 'string' ? value.kind : '';
    if (!isObject(value) || depth > deepest || ++this.#nodes > mostNodes) return other(kind, value, []);
    if (Object.hasOwn(widgetSchemas, kind)) {
      const read = widgetSchemas[kind as WidgetKind].safeParse(value);
      // The schema is the kind's own, which TypeScript cannot follow through the index.
      return read.success ? ({ ...read.data, kind } as UiWidget) : other(kind, value, []);
    }
    if (Object.hasOwn(fieldSchemas, kind)) {
      const read = fieldSchemas[kind as FieldKind].safeParse(value);
      return read.success ? ({ ...read.data, kind } as UiField) : other(kind, value, []);
    }
    if (kind === 'tabs' && Array.isArray(value.tabs)) {
      const tabs = value.tabs.filter(isObject).map((tab) => ({
        title: title.catch('').parse(tab.title),
        children: this.#children(tab.children, depth),
      }));
      return { kind: 'tabs', tabs };
    }
    const children = this.#children(value.children, depth);
    if (!Object.hasOwn(groupSchemas, kind)) return other(kind, value, children);
    const read = groupSchemas[kind as GroupKind].safeParse(value);
    return read.success ? ({ ...read.data, kind, children } as UiNode) : other(kind, value, children);
  }

  #children(value: unknown, depth: number): UiNode[] {
    return Array.isArray(value) ? value.slice(0, mostNodes).map((child) => this.node(child, depth + 1)) : [];
  }
}

const other = (kind: string, value: unknown, children: UiNode[]): UiNode => ({
  kind: 'other',
  was: kind.slice(0, 100) || 'nothing that has a kind',
  title: isObject(value) && typeof value.title === 'string' ? value.title.slice(0, 400) : '',
  children,
});

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
