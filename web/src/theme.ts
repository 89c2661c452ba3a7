import { type CSSVariablesResolver, createTheme } from '@mantine/core';

export const theme = createTheme({
  primaryColor: 'indigo',
  primaryShade: { light: 7, dark: 8 },
  defaultRadius: 'md',
  cursorType: 'pointer',
  // Who asks the system for less motion gets none.
  respectReducedMotion: true,
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace',
  headings: { fontWeight: '650', textWrap: 'balance' },
  components: {
    Tooltip: { defaultProps: { withArrow: true, openDelay: 250, events: { hover: true, focus: true, touch: true } } },
    Badge: { defaultProps: { variant: 'light', radius: 'sm', miw: 'max-content' } },
    // A name, a path or a traceback has no place to break a line at.
    Alert: { styles: { message: { overflowWrap: 'anywhere' }, body: { minWidth: 0 } } },
    // A value out of range is shown with its problem, never changed in silence.
    NumberInput: { defaultProps: { clampBehavior: 'none' } },
    Card: { defaultProps: { withBorder: true, padding: 'md', radius: 'md' } },
    Select: { defaultProps: { comboboxProps: { shadow: 'md' }, checkIconPosition: 'right' } },
  },
});

/** Mantine's own greys for text that steps back, and some of its colours on their pale selves, miss the contrast of WCAG AA. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#566069',
    '--mantine-color-placeholder': '#6b737b',
    '--mantine-color-error': '#c92a2a',
    '--mantine-color-teal-light-color': '#05603f',
    '--mantine-color-orange-light-color': '#8a3a06',
    '--mantine-color-yellow-light-color': '#6b4a00',
    '--mantine-color-red-light-color': '#a51111',
    '--mantine-color-pink-light-color': '#8f1747',
    '--page-background': '#f7f8fa',
    '--chart-edge': '#868e96',
    '--chart-inner': '#f8f9fb',
    '--chart-lit': '#edf2ff',
    '--chart-lit-line': '#4263eb',
    '--chart-visited': '#91a7ff',
    '--image-background': '#eef0f2',
  },
  dark: {
    '--mantine-color-dimmed': '#adb1b8',
    '--mantine-color-placeholder': '#9a9ea6',
    '--mantine-color-error': '#ff8787',
    '--page-background': '#1a1b1e',
    '--chart-edge': '#909296',
    '--chart-inner': '#232428',
    '--chart-lit': '#252d4f',
    '--chart-lit-line': '#748ffc',
    '--chart-visited': '#5c7cfa',
    '--image-background': '#101113',
  },
});

/** Colours of curves, told apart in light and dark and by most colour-blind eyes (after Okabe and Ito). */
export const curveColors = ['#3b6fd6', '#d55e00', '#009e73', '#b55d92', '#a67c00', '#2a93c9', '#7d5fd3', '#6b6f76'];
