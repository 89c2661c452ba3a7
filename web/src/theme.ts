import { type CSSVariablesResolver, createTheme } from '@mantine/core';

export const theme = createTheme({
  primaryColor: 'indigo',
  primaryShade: { light: 7, dark: 8 },
  defaultRadius: 'md',
  cursorType: 'pointer',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace',
  headings: { fontWeight: '650', textWrap: 'balance' },
  components: {
    Tooltip: { defaultProps: { withArrow: true, openDelay: 250, events: { hover: true, focus: true, touch: true } } },
    Badge: { defaultProps: { variant: 'light', radius: 'sm' } },
    Card: { defaultProps: { withBorder: true, padding: 'md', radius: 'md' } },
    Select: { defaultProps: { comboboxProps: { shadow: 'md' }, checkIconPosition: 'right' } },
  },
});

/** Mantine's own greys for text that steps back miss the contrast of WCAG AA. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#566069',
    '--mantine-color-placeholder': '#6b737b',
    '--mantine-color-error': '#c92a2a',
    '--page-background': '#f7f8fa',
  },
  dark: {
    '--mantine-color-dimmed': '#adb1b8',
    '--mantine-color-placeholder': '#9a9ea6',
    '--mantine-color-error': '#ff8787',
    '--page-background': '#1a1b1e',
  },
});

/** Colours of curves, told apart in light and dark and by most colour-blind eyes (after Okabe and Ito). */
export const curveColors = ['#3b6fd6', '#d55e00', '#009e73', '#b55d92', '#a67c00', '#2a93c9', '#7d5fd3', '#6b6f76'];
