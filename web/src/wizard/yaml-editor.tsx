import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { yaml } from '@codemirror/lang-yaml';
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { type Diagnostic, lintGutter, setDiagnostics } from '@codemirror/lint';
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search';
import { Annotation, EditorState } from '@codemirror/state';
import { EditorView, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { useEffect, useRef } from 'react';

export interface TextProblem {
  from: number;
  to: number;
  message: string;
}

interface YamlEditorProps {
  label: string;
  value: string;
  onChange?: (text: string) => void;
  problems?: TextProblem[];
  isReadOnly?: boolean;
  minHeight?: string;
}

/** Marks a change that came from the outside, which must not be told as typed. */
const fromOutside = Annotation.define<boolean>();

const highlighting = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'light-dark(#364fc7, #91a7ff)' },
  { tag: [tags.string, tags.content], color: 'light-dark(#2b6a3c, #8ce99a)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'light-dark(#a3480f, #ffc078)' },
  { tag: tags.comment, color: 'light-dark(#5c636a, #a6a7ab)', fontStyle: 'italic' },
  { tag: [tags.punctuation, tags.separator], color: 'light-dark(#495057, #c1c2c5)' },
]);

const look = EditorView.theme({
  '&': { fontSize: '13px', backgroundColor: 'transparent', color: 'var(--mantine-color-text)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mantine-font-family-monospace)', lineHeight: '1.55', maxHeight: '70vh' },
  '.cm-gutters': { backgroundColor: 'transparent', color: 'var(--mantine-color-dimmed)', border: 'none' },
  '.cm-cursor': { borderLeftColor: 'var(--mantine-color-text)' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'light-dark(#dbe4ff, #2b3566) !important',
  },
  '.cm-tooltip': {
    backgroundColor: 'var(--mantine-color-body)',
    border: '1px solid var(--mantine-color-default-border)',
    color: 'var(--mantine-color-text)',
  },
});

export function YamlEditor({ label, value, onChange, problems, isReadOnly = false, minHeight }: YamlEditorProps) {
  const holder = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const tell = useRef(onChange);
  tell.current = onChange;

  // biome-ignore lint/correctness/useExhaustiveDependencies: made once; the value is brought in below
  useEffect(() => {
    if (!holder.current) return;
    const editor = new EditorView({
      parent: holder.current,
      state: EditorState.create({
        doc: value,
        extensions: [
          lineNumbers(),
          history(),
          highlightSelectionMatches(),
          keymap.of([...defaultKeymap, ...historyKeymap, ...searchKeymap]),
          yaml(),
          syntaxHighlighting(highlighting),
          lintGutter(),
          look,
          EditorView.lineWrapping,
          EditorState.readOnly.of(isReadOnly),
          EditorView.contentAttributes.of({
            'aria-label': label,
            tabindex: '0',
            ...(isReadOnly ? { 'aria-readonly': 'true' } : {}),
          }),
          EditorView.updateListener.of((update) => {
            if (!update.docChanged || update.transactions.some((change) => change.annotation(fromOutside))) return;
            tell.current?.(update.state.doc.toString());
          }),
          ...(minHeight ? [EditorView.theme({ '.cm-content': { minHeight } })] : []),
        ],
      }),
    });
    view.current = editor;
    return () => {
      editor.destroy();
      view.current = null;
    };
  }, [label, isReadOnly, minHeight]);

  useEffect(() => {
    const editor = view.current;
    if (!editor) return;
    const before = editor.state.doc.toString();
    if (before === value) return;
    // The part that differs alone, so that the cursor stays where it is.
    let start = 0;
    while (start < before.length && start < value.length && before[start] === value[start]) start++;
    let end = 0;
    while (end < before.length - start && end < value.length - start && before.at(-1 - end) === value.at(-1 - end))
      end++;
    editor.dispatch({
      changes: { from: start, to: before.length - end, insert: value.slice(start, value.length - end) },
      annotations: fromOutside.of(true),
    });
  }, [value]);

  useEffect(() => {
    const editor = view.current;
    if (!editor) return;
    const { length } = editor.state.doc;
    const found = (problems ?? []).map(
      ({ from, to, message }): Diagnostic => ({
        from: Math.min(from, length),
        to: Math.min(Math.max(from, to), length),
        severity: 'error',
        message,
      }),
    );
    editor.dispatch(setDiagnostics(editor.state, found));
  }, [problems]);

  return <div ref={holder} className="yaml-editor" />;
}
