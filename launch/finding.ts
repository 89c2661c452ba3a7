/** What the doctor says of one thing. */

/** `missing` keeps Epochal from working; `note` is worth knowing. */
export interface Finding {
  what: string;
  status: 'ok' | 'note' | 'missing';
  detail: string;
  /** What to do about it. */
  remedy?: string;
}
