// First: later modules make schemas.
import './schemas-without-eval.ts';
import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import './styles.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { signInByCode } from './api/sign-in-code.ts';
import { App } from './app.tsx';

const root = document.getElementById('root');
if (!root) throw new Error('the page has no #root');
// `python trainer.py preview` serves the same page for a trainer's own pages alone.
const isPreview = document.documentElement.dataset.preview !== undefined;
if (!isPreview) await signInByCode();
const Shown = isPreview ? (await import('./pages/preview.tsx')).Preview : App;
createRoot(root).render(
  <StrictMode>
    <Shown />
  </StrictMode>,
);
