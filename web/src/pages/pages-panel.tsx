/** The pages of a trainer, as its layout says. */
import type { RunPages } from '../../../contracts/http-pages.ts';
import { isField } from '../../../contracts/ui.ts';
import { LayoutView } from './layout-view.tsx';
import { layoutOf, rowsByWidget } from './run-pages.ts';
import { WidgetFrame } from './widget-frame.tsx';
import './pages.css';

export function PagesPanel({ run, pages }: { run: string; pages: RunPages }) {
  const layout = layoutOf(pages);
  if (!layout) return null;
  const rows = rowsByWidget(pages.rows);
  return (
    <LayoutView
      node={layout}
      draw={(leaf) =>
        // A form of parameters is for before a run.
        isField(leaf) ? null : <WidgetFrame widget={leaf} rows={rows.get(leaf.id) ?? []} run={run} />
      }
    />
  );
}
