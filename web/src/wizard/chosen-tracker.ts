/** What the form shows of `trackers`, and writes. Pure. */
import type { Json } from './plain-json.ts';

export const trackerChoices = [
  { value: 'default', label: "The worker's default" },
  { value: 'none', label: 'None' },
  { value: 'mlflow', label: 'MLflow' },
];

export function experimentOf(trackers: Json | undefined): { choice: string | null; experiment: string } {
  if (trackers === undefined || trackers === null) return { choice: 'default', experiment: '' };
  if (!Array.isArray(trackers)) return { choice: null, experiment: '' };
  const [one] = trackers;
  if (one === undefined) return { choice: 'none', experiment: '' };
  if (trackers.length > 1) return { choice: null, experiment: '' };
  if (one === 'mlflow') return { choice: 'mlflow', experiment: '' };
  const settings = fieldOf(one, 'mlflow');
  if (settings === undefined) return { choice: null, experiment: '' };
  const experiment = fieldOf(settings, 'experiment');
  return { choice: 'mlflow', experiment: typeof experiment === 'string' ? experiment : '' };
}

export function trackersFor(choice: string | null, experiment: string): Json | undefined {
  if (choice === 'none') return [];
  if (choice !== 'mlflow') return undefined;
  return experiment === '' ? ['mlflow'] : [{ mlflow: { experiment } }];
}

const fieldOf = (value: Json, key: string): Json | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value[key] : undefined;
